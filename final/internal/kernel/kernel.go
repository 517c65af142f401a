//go:build linux

// Package kernel reads files that the kernel writes as they are read, such as those of
// /proc and of cgroups.
//
//	text, err := kernel.Read("/proc/self/mountinfo")
//
// Package os would ask of each file whether it can be waited for, which takes five system
// calls, and read it in pieces of 512 bytes, for each of which the kernel begins anew.
package kernel

import (
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// piece is how much is asked for at once: more than the kernel gives.
const piece = 8192

// Read reads a file. An error is an *fs.PathError, as of os.ReadFile.
func Read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	text := make([]byte, 0, piece)
	for {
		if len(text) == cap(text) {
			text = slices.Grow(text, piece)
		}
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return text, nil
		}
		text = text[:len(text)+n]
	}
}

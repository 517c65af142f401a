//go:build linux

// Command attack tries the known ways out of a container, from inside. The tests of
// minirun run it as a container's command and read from what it prints, and from the
// host, that it did not get out.
//
//	attack exe                  overwrite the runtime's file (CVE-2019-5736)
//	attack trace                take hold of the runtime with ptrace(2)
//	attack files                list the open files
//	attack through FD PATH      open a path that begins at an open file (CVE-2024-21626)
//	attack write FILE…          open files of the kernel for writing
//	attack cgroup               write to the cgroups, from a user namespace, too (CVE-2022-0492)
//	attack node                 make the first disk and read it
//	attack wait                 be there
//
// Two words are for the tests' own side. A naive runtime, against which the attacks
// work, and a caller with bad habits:
//
//	attack naive PID COMMAND…   enter a container as a naive runtime would, and execute
//	attack deaf COMMAND…        execute with all signals ignored and blocked
//
// Each attempt is one line: what was tried, and "done" or the errno it ended with.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	if err := attack(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

// attack does what the first word says.
func attack(args []string) error {
	if len(args) == 0 {
		return errors.New("no word")
	}
	word, rest := args[0], args[1:]
	switch word {
	case "exe":
		return exe()
	case "trace":
		return trace()
	case "files":
		return files()
	case "through":
		return through(rest)
	case "write":
		for _, name := range rest {
			tell(name, write(name, ""))
		}
		return nil
	case "cgroup":
		return cgroups()
	case "anew": // of cgroup's own
		return anew()
	case "node":
		return node()
	case "wait":
		return unix.Pause()
	case "naive":
		return naive(rest)
	case "deaf":
		return deaf(rest)
	}
	return fmt.Errorf("no word %q", word)
}

// tell prints one attempt.
//
//	mknod: EPERM
func tell(what string, err error) {
	outcome := "done"
	if err != nil {
		outcome = err.Error()
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		outcome = unix.ErrnoName(errno)
	}
	fmt.Println(what + ": " + outcome)
}

// write opens a file for writing, and writes if there is something to write.
func write(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if text == "" {
		return nil
	}
	_, err = file.WriteString(text)
	return err
}

// files lists what is open, but for what this program itself has opened meanwhile: those
// are close-on-exec, and what came through an execve(2) is not.
//
//	1 pipe:[4422]
func files() error {
	const enough = 1024
	for fd := range enough {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil {
			return err
		}
		fmt.Println(fd, to)
	}
	return nil
}

// through opens a path that begins at a file that was left open.
func through(args []string) error {
	if len(args) != 2 {
		return errors.New("through: FD PATH")
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	_, err = unix.Openat(fd, args[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	tell("open", err)
	return nil
}

// node makes the device file of the first disk and opens it.
func node() error {
	const name = "/dev/attack"
	err := unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(8, 0)))
	tell("mknod", err)
	if err != nil {
		return nil //nolint:nilerr // it was told
	}
	_, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	tell("open", err)
	return os.Remove(name)
}

//go:build linux

package trace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// memory is what a pointer of a traced thread leads to. Tests have their own.
type memory interface {
	// read fills into from an address on and returns how many bytes there were.
	read(addr uint64, into []byte) int
}

// ofTask is the memory of a stopped thread, by its tid.
type ofTask int

// pageSize is the smallest unit that can be missing.
var pageSize = uint64(os.Getpagesize())

// read reads page by page: process_vm_readv(2) gives all of a segment or nothing,
// and a string near the end of a mapping ends before its page does.
func (t ofTask) read(addr uint64, into []byte) int {
	done := 0
	for done < len(into) {
		at := addr + uint64(done)
		size := min(uint64(len(into)-done), pageSize-at%pageSize)
		part := into[done : done+int(size)]
		n, err := unix.ProcessVMReadv(int(t),
			[]unix.Iovec{{Base: &part[0], Len: size}},
			[]unix.RemoteIovec{{Base: uintptr(at), Len: int(size)}}, 0)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			// A filter around us may forbid the call; the tracer may still peek.
			n, err = unix.PtracePeekData(int(t), uintptr(at), part)
		}
		if err != nil || n <= 0 {
			return done
		}
		done += n
	}
	return done
}

// readString reads up to most bytes, to a NUL. It reports whether the string
// ended within them and whether there was memory at all.
func readString(m memory, addr uint64, most int) (text string, whole, ok bool) {
	const piece = 256 // most paths; one more call for the long ones
	var got []byte
	for len(got) <= most {
		chunk := make([]byte, piece)
		n := m.read(addr+uint64(len(got)), chunk)
		if end := bytes.IndexByte(chunk[:n], 0); end >= 0 {
			got = append(got, chunk[:end]...)
			return string(got[:min(len(got), most)]), len(got) <= most, true
		}
		got = append(got, chunk[:n]...)
		if n < piece {
			break
		}
	}
	if len(got) == 0 {
		return "", false, false
	}
	return string(got[:min(len(got), most)]), false, true
}

// readWords reads numbers of 2, 4 or 8 bytes; fewer than wanted if memory ends.
func readWords(m memory, addr uint64, size, count int) []uint64 {
	raw := make([]byte, size*count)
	raw = raw[:m.read(addr, raw)]
	words := make([]uint64, 0, count)
	for ; len(raw) >= size; raw = raw[size:] {
		switch size {
		case 2:
			words = append(words, uint64(binary.NativeEndian.Uint16(raw)))
		case 4:
			words = append(words, uint64(binary.NativeEndian.Uint32(raw)))
		default:
			words = append(words, binary.NativeEndian.Uint64(raw))
		}
	}
	return words
}

//go:build linux

package bench

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// payload returns a static program that makes two system calls: write(1, itself, 1), by
// which its start can be seen, and exit_group(0). What is left of a measured start is
// the container's own cost. See syscall(2).
func payload(t testing.TB) []byte {
	t.Helper()
	return executable(t, []byte{
		0xb8, 1, 0, 0, 0, // mov $1, %eax
		0xbf, 1, 0, 0, 0, // mov $1, %edi
		0xbe, 0, 0, 0x40, 0, // mov $0x400000, %esi
		0xba, 1, 0, 0, 0, // mov $1, %edx
		0x0f, 0x05, // syscall
		0xb8, 0xe7, 0, 0, 0, // mov $231, %eax
		0x31, 0xff, // xor %edi, %edi
		0x0f, 0x05, // syscall
	}, []byte{
		0x08, 0x08, 0x80, 0xd2, // mov x8, #64
		0x20, 0x00, 0x80, 0xd2, // mov x0, #1
		0x01, 0x08, 0xa0, 0xd2, // mov x1, #0x400000
		0x22, 0x00, 0x80, 0xd2, // mov x2, #1
		0x01, 0x00, 0x00, 0xd4, // svc #0
		0xc8, 0x0b, 0x80, 0xd2, // mov x8, #94
		0x00, 0x00, 0x80, 0xd2, // mov x0, #0
		0x01, 0x00, 0x00, 0xd4, // svc #0
	})
}

// exit returns a program that makes one system call: exit_group(0).
func exit(t testing.TB) []byte {
	t.Helper()
	return executable(t, []byte{
		0xb8, 0xe7, 0, 0, 0, // mov $231, %eax
		0x31, 0xff, // xor %edi, %edi
		0x0f, 0x05, // syscall
	}, []byte{
		0xc8, 0x0b, 0x80, 0xd2, // mov x8, #94
		0x00, 0x00, 0x80, 0xd2, // mov x0, #0
		0x01, 0x00, 0x00, 0xd4, // svc #0
	})
}

// idle returns a program that waits for nothing: ppoll(NULL, 0, NULL, NULL, 0).
func idle(t testing.TB) []byte {
	t.Helper()
	return executable(t, []byte{
		0x31, 0xff, // xor %edi, %edi
		0x31, 0xf6, // xor %esi, %esi
		0x31, 0xd2, // xor %edx, %edx
		0x4d, 0x31, 0xd2, // xor %r10, %r10
		0x4d, 0x31, 0xc0, // xor %r8, %r8
		0xb8, 0x0f, 0x01, 0, 0, // mov $271, %eax
		0x0f, 0x05, // syscall
		0xeb, 0xeb, // jmp to the beginning
	}, []byte{
		0x00, 0x00, 0x80, 0xd2, // mov x0, #0
		0x01, 0x00, 0x80, 0xd2, // mov x1, #0
		0x02, 0x00, 0x80, 0xd2, // mov x2, #0
		0x03, 0x00, 0x80, 0xd2, // mov x3, #0
		0x04, 0x00, 0x80, 0xd2, // mov x4, #0
		0x28, 0x09, 0x80, 0xd2, // mov x8, #73
		0x01, 0x00, 0x00, 0xd4, // svc #0
		0xf9, 0xff, 0xff, 0x17, // b to the beginning
	})
}

// executable makes a static program of machine code. See elf(5).
func executable(t testing.TB, amd64, arm64 []byte) []byte {
	t.Helper()
	const base, headers = 0x400000, 64 + 56
	machine, code := uint16(62), amd64
	switch runtime.GOARCH {
	case "amd64":
	case "arm64":
		machine, code = 183, arm64
	default:
		t.Skip("need amd64 or arm64: the payload is machine code")
	}
	size := uint64(headers + len(code))
	var file bytes.Buffer
	file.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, field := range []any{
		// The file header: an executable, its entry, one program header after it.
		uint16(2), machine, uint32(1), uint64(base + headers), uint64(64), uint64(0),
		uint32(0), uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		// The program header: load the whole file, readable and executable.
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(0x1000),
	} {
		require.NoError(t, binary.Write(&file, binary.LittleEndian, field))
	}
	file.Write(code)
	return file.Bytes()
}

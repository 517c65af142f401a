//go:build linux

package seccomp

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// payload writes a program that makes one system call and ends with its errno, and
// nothing else: no loader, no runtime, no other call but exit_group(2).
func payload(t *testing.T, number uint32, first uint64) string {
	t.Helper()
	code := codeAMD64
	machine := uint16(62)
	if runtime.GOARCH == "arm64" {
		code, machine = codeARM64, 183
	}
	return program(t, elf64(machine, code(number, first)))
}

// program puts an executable into a directory of the test.
func program(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payload")
	require.NoError(t, os.WriteFile(path, text, 0o755))
	return path
}

// codeAMD64 is the program for x86-64.
//
//	mov eax, NUMBER; mov rdi, FIRST; syscall
//	neg eax; mov edi, eax; mov eax, 231; syscall
func codeAMD64(number uint32, first uint64) []byte {
	code := binary.LittleEndian.AppendUint32([]byte{0xb8}, number)
	code = binary.LittleEndian.AppendUint64(append(code, 0x48, 0xbf), first)
	code = append(code, 0x0f, 0x05, 0xf7, 0xd8, 0x89, 0xc7, 0xb8)
	code = binary.LittleEndian.AppendUint32(code, 231)
	return append(code, 0x0f, 0x05)
}

// codeARM64 is the program for arm64.
//
//	movz/movk x8, NUMBER; movz/movk x0, FIRST; svc 0
//	neg x0, x0; movz x8, 94; svc 0
func codeARM64(number uint32, first uint64) []byte {
	var code []byte
	put := func(instruction uint32) {
		code = binary.LittleEndian.AppendUint32(code, instruction)
	}
	set := func(register uint32, value uint64) {
		put(0xd2800000 | uint32(value&0xffff)<<5 | register)
		for part := uint32(1); part < 4; part++ {
			put(0xf2800000 | part<<21 | uint32(value>>(16*part)&0xffff)<<5 | register)
		}
	}
	set(8, uint64(number))
	set(0, first)
	put(0xd4000001)
	put(0xcb0003e0)
	set(8, 94)
	put(0xd4000001)
	return code
}

// codeX86 is a 32-bit program: getpid(2), whose errno is the status.
//
//	mov eax, 20; int 0x80; neg eax; mov ebx, eax; mov eax, 1; int 0x80
var codeX86 = []byte{
	0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xf7, 0xd8, 0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80,
}

// base is where programs are loaded.
const base = 0x400000

// elf64 is the smallest 64-bit program: a header, one segment, the code. See elf(5).
func elf64(machine uint16, code []byte) []byte {
	const size = 64 + 56
	var out bytes.Buffer
	write := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&out, binary.LittleEndian, v) // into memory
		}
	}
	write([16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, uint16(2), machine, uint32(1))
	write(uint64(base+size), uint64(64), uint64(0), uint32(0))
	write(uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0))
	write(uint32(1), uint32(5), uint64(0), uint64(base), uint64(base))
	write(uint64(size+len(code)), uint64(size+len(code)), uint64(0x10000), code)
	return out.Bytes()
}

// elf32 is the same for x86.
func elf32(code []byte) []byte {
	const size = 52 + 32
	var out bytes.Buffer
	write := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&out, binary.LittleEndian, v) // into memory
		}
	}
	write([16]byte{0x7f, 'E', 'L', 'F', 1, 1, 1}, uint16(2), uint16(3), uint32(1))
	write(uint32(base+size), uint32(52), uint32(0), uint32(0))
	write(uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0))
	write(uint32(1), uint32(0), uint32(base), uint32(base))
	write(uint32(size+len(code)), uint32(size+len(code)), uint32(5), uint32(0x1000), code)
	return out.Bytes()
}

//go:build linux

package bench

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// payload returns a static program of machine code that makes two system calls:
// write(1, itself, 1), by which its start can be seen, and exit_group(0). What
// is left of a measured start is the container's own cost. See elf(5) and
// syscall(2).
func payload(t testing.TB) []byte {
	t.Helper()
	const base, headers = 0x400000, 64 + 56
	machine, code := uint16(0), []byte(nil)
	switch runtime.GOARCH {
	case "amd64":
		machine, code = 62, []byte{
			0xb8, 1, 0, 0, 0, // mov $1, %eax
			0xbf, 1, 0, 0, 0, // mov $1, %edi
			0xbe, 0, 0, 0x40, 0, // mov $0x400000, %esi
			0xba, 1, 0, 0, 0, // mov $1, %edx
			0x0f, 0x05, // syscall
			0xb8, 0xe7, 0, 0, 0, // mov $231, %eax
			0x31, 0xff, // xor %edi, %edi
			0x0f, 0x05, // syscall
		}
	case "arm64":
		machine, code = 183, []byte{
			0x08, 0x08, 0x80, 0xd2, // mov x8, #64
			0x20, 0x00, 0x80, 0xd2, // mov x0, #1
			0x01, 0x08, 0xa0, 0xd2, // mov x1, #0x400000
			0x22, 0x00, 0x80, 0xd2, // mov x2, #1
			0x01, 0x00, 0x00, 0xd4, // svc #0
			0xc8, 0x0b, 0x80, 0xd2, // mov x8, #94
			0x00, 0x00, 0x80, 0xd2, // mov x0, #0
			0x01, 0x00, 0x00, 0xd4, // svc #0
		}
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

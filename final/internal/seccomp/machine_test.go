//go:build linux

package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// call is a system call as a filter sees it: struct seccomp_data.
type call struct {
	number, audit uint32
	args          [maxArgs]uint64
}

// bytes are the call in memory: number, architecture, instruction pointer, arguments.
func (c call) bytes() []byte {
	text := binary.LittleEndian.AppendUint32(nil, c.number)
	text = binary.LittleEndian.AppendUint32(text, c.audit)
	text = binary.LittleEndian.AppendUint64(text, 0x7f0012345678)
	for _, arg := range c.args {
		text = binary.LittleEndian.AppendUint64(text, arg)
	}
	return text
}

// interpret runs a program as the kernel does, and counts its instructions. What the
// kernel refuses to load is an error.
func (f *Filter) interpret(c call) (action uint32, steps int, err error) {
	data := c.bytes()
	var a uint32
	for at := 0; at < f.Len(); at++ {
		in := f.Program[at*instructionSize:]
		code, k := binary.LittleEndian.Uint16(in), binary.LittleEndian.Uint32(in[4:])
		jt, jf := int(in[2]), int(in[3])
		steps++
		jump := func(yes bool) {
			if yes {
				at += jt
			} else {
				at += jf
			}
		}
		switch code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if k%4 != 0 || int(k) >= len(data) {
				return 0, steps, fmt.Errorf("%d: load of offset %d", at, k)
			}
			a = binary.LittleEndian.Uint32(data[k:])
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= k
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == k)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= k)
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			jump(a > k)
		case unix.BPF_JMP | unix.BPF_JA:
			at += int(k)
		case unix.BPF_RET | unix.BPF_K:
			return k, steps, nil
		default:
			return 0, steps, fmt.Errorf("%d: no instruction %#x", at, code)
		}
	}
	return 0, steps, errors.New("the program has no end")
}

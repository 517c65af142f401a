package cgroup

import (
	"encoding/binary"
	"errors"
)

// wire is data as D-Bus has it: little endian, each value at a multiple of its size.
type wire struct {
	data []byte
	at   int   // where reading goes on
	err  error // data that ended too early
}

// align fills up to a multiple of n.
func (w *wire) align(n int) {
	for len(w.data)%n != 0 {
		w.data = append(w.data, 0)
	}
}

func (w *wire) bytes(b ...byte) { w.data = append(w.data, b...) }

func (w *wire) uint32(n uint32) {
	w.align(4)
	w.data = binary.LittleEndian.AppendUint32(w.data, n)
}

func (w *wire) uint64(n uint64) {
	w.align(8)
	w.data = binary.LittleEndian.AppendUint64(w.data, n)
}

// string is a length, the text and a zero; so is the path of an object.
func (w *wire) string(s string) {
	w.uint32(uint32(len(s)))
	w.data = append(append(w.data, s...), 0)
}

// signature is a list of types, with a length of one byte.
func (w *wire) signature(s string) {
	w.data = append(append(append(w.data, byte(len(s))), s...), 0)
}

// array is the length of what fill writes, counted from where the first element is
// aligned, and that.
func (w *wire) array(align int, fill func()) {
	w.uint32(0)
	place := len(w.data)
	w.align(align)
	begin := len(w.data)
	fill()
	binary.LittleEndian.PutUint32(w.data[place-4:], uint32(len(w.data)-begin))
}

// take is the next n bytes, at a multiple of align.
func (w *wire) take(n, align int) []byte {
	w.at = (w.at + align - 1) / align * align
	if n < 0 || w.at+n > len(w.data) || w.err != nil {
		if w.err == nil {
			w.err = errors.New("a message ends in the middle of a value")
		}
		return make([]byte, max(0, min(n, 8)))
	}
	w.at += n
	return w.data[w.at-n : w.at]
}

func (w *wire) readByte() byte { return w.take(1, 1)[0] }

func (w *wire) readUint32() uint32 { return binary.LittleEndian.Uint32(w.take(4, 4)) }

func (w *wire) readString() string {
	n := int(w.readUint32())
	text := string(w.take(n, 1))
	w.take(1, 1)
	return text
}

func (w *wire) readSignature() string {
	n := int(w.readByte())
	text := string(w.take(n, 1))
	w.take(1, 1)
	return text
}

//go:build linux

package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bus is a connection to systemd's own D-Bus socket, where no bus daemon is between.
// It takes two messages to make a scope; the usual library would cost each start of
// this program, for all that it links, more than all of this package.
// See dbus.freedesktop.org/doc/dbus-specification.html.
type bus struct {
	conn   *os.File
	serial uint32
}

// dial connects to the socket. Who we are systemd asks the kernel, so there is nothing
// to say:
//
//	→ \0AUTH EXTERNAL    → DATA    → BEGIN    ← DATA    ← OK 1234deadbeef
//
// All three lines go at once: what came together with BEGIN systemd would not look at
// before something else came, and the first message is sent after its OK.
func dial(path string) (*bus, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	b := &bus{conn: os.NewFile(uintptr(fd), path)}
	// systemd may be busy, but not for ever.
	wait := unix.NsecToTimeval((25 * time.Second).Nanoseconds())
	const level, option = unix.SOL_SOCKET, unix.SO_RCVTIMEO
	for _, step := range []func() error{
		func() error { return unix.SetsockoptTimeval(fd, level, option, &wait) },
		func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) },
		func() error {
			_, err := b.conn.WriteString("\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
			return err
		},
		func() error { return b.expect("DATA") },
		func() error { return b.expect("OK ") },
	} {
		if err := step(); err != nil {
			return nil, errors.Join(fmt.Errorf("connect to systemd at %s: %w", path, err),
				b.conn.Close())
		}
	}
	return b, nil
}

// expect reads a line. A byte at a time, for after it come messages.
func (b *bus) expect(want string) error {
	var answer []byte
	for !strings.HasSuffix(string(answer), "\r\n") {
		var one [1]byte
		if _, err := io.ReadFull(b.conn, one[:]); err != nil {
			return err
		}
		answer = append(answer, one[0])
	}
	if !strings.HasPrefix(string(answer), want) {
		return fmt.Errorf("it answers %q, not %q", strings.TrimSpace(string(answer)), want)
	}
	return nil
}

// The types of messages, and the fields of a message's head.
const (
	methodCall, methodReturn, methodError, signalMessage = 1, 2, 3, 4

	fieldPath, fieldInterface, fieldMember      = 1, 2, 3
	fieldReplySerial, fieldReceiver, fieldTypes = 5, 6, 8
)

// message is one that came.
type message struct {
	kind    byte
	replyTo uint32
	member  string
	body    *wire
}

// call calls a method of systemd's manager and returns the serial of the answer.
//
//	busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
//	    org.freedesktop.systemd1.Manager MEMBER TYPES …
func (b *bus) call(member, types string, body *wire) (uint32, error) {
	b.serial++
	m := &wire{}
	// byte order, type, flags, version of the protocol
	m.bytes('l', methodCall, 0, 1)
	m.uint32(uint32(len(body.data)))
	m.uint32(b.serial)
	m.array(8, func() {
		field := func(code byte, kind, value string) {
			m.align(8)
			m.bytes(code)
			m.signature(kind)
			if kind == "g" {
				m.signature(value)
			} else {
				m.string(value)
			}
		}
		field(fieldPath, "o", "/org/freedesktop/systemd1")
		field(fieldInterface, "s", "org.freedesktop.systemd1.Manager")
		field(fieldMember, "s", member)
		field(fieldReceiver, "s", "org.freedesktop.systemd1")
		field(fieldTypes, "g", types)
	})
	m.align(8)
	_, err := b.conn.Write(append(m.data, body.data...))
	return b.serial, err
}

// job calls a method that begins a job, and waits until systemd says how it has ended.
func (b *bus) job(member, types string, body *wire) error {
	serial, err := b.call(member, types, body)
	if err != nil {
		return err
	}
	job, results := "", map[string]string{}
	for job == "" || results[job] == "" {
		m, err := b.answer(serial)
		if err != nil {
			return err
		}
		switch {
		case m.kind == methodReturn:
			job = m.body.readString()
		case m.member == "JobRemoved":
			// id, path of the job, unit, result
			m.body.readUint32()
			removed := m.body.readString()
			m.body.readString()
			results[removed] = m.body.readString()
		}
		if m.body.err != nil {
			return m.body.err
		}
	}
	if results[job] != "done" {
		return fmt.Errorf("systemd says: the job is %s", results[job])
	}
	return nil
}

// do calls a method that is done when it is answered.
func (b *bus) do(member, types string, body *wire) error {
	serial, err := b.call(member, types, body)
	for err == nil {
		var m message
		if m, err = b.answer(serial); err == nil && m.kind == methodReturn {
			return nil
		}
	}
	return err
}

// answer is the answer to a call, or a signal; an answer that is a refusal is an error.
func (b *bus) answer(serial uint32) (message, error) {
	for {
		m, err := b.receive()
		switch {
		case err != nil:
			return m, fmt.Errorf("wait for systemd: %w", err)
		case m.kind == signalMessage || m.kind == methodReturn && m.replyTo == serial:
			return m, nil
		case m.kind == methodError && m.replyTo == serial:
			return m, fmt.Errorf("systemd says: %s", m.body.readString())
		}
	}
}

// receive reads the next message.
func (b *bus) receive() (message, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(b.conn, head); err != nil {
		return message{}, err
	}
	const most = 1 << 20
	length := binary.LittleEndian.Uint32(head[4:])
	fields := binary.LittleEndian.Uint32(head[12:])
	if head[0] != 'l' || length > most || fields > most {
		return message{}, fmt.Errorf("a message that begins with %q is none of ours", head)
	}
	padded := (fields + 7) &^ 7
	rest := make([]byte, padded+length)
	if _, err := io.ReadFull(b.conn, rest); err != nil {
		return message{}, err
	}
	m := message{kind: head[1], body: &wire{data: rest[padded:]}}
	return m, m.readFields(&wire{data: rest[:fields]})
}

// readFields reads the fields that matter; each is a code, a type and a value.
func (m *message) readFields(w *wire) error {
	for len(w.data) > w.at && w.err == nil {
		w.take(0, 8)
		code := w.readByte()
		switch kind := w.readSignature(); kind {
		case "u":
			value := w.readUint32()
			if code == fieldReplySerial {
				m.replyTo = value
			}
		case "s", "o":
			value := w.readString()
			if code == fieldMember {
				m.member = value
			}
		case "g":
			w.readSignature()
		default:
			return fmt.Errorf("a message has a field of type %q", kind)
		}
	}
	return w.err
}

//go:build linux

package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/final/internal/hint"
)

// Kind is the first byte of a packet: what it is.
type Kind byte

// What a client sends.
const (
	Asking   Kind = 'q' // a Request as JSON, and its open files
	Input    Kind = 'i' // for the container to read
	InputEnd Kind = 'c' // there is no more of it
	Resize   Kind = 'w' // a Size as JSON
	Signal   Kind = 'k' // a number as JSON
)

// What the monitor sends.
const (
	Started Kind = 's' // a process number as JSON, and the open terminal of an exec
	Output  Kind = 'o' // what the container has written
	Errors  Kind = 'e' // to its standard error
	Exited  Kind = 'x' // a State as JSON, which is the end
	Done    Kind = 'd' // a request was carried out
	Failed  Kind = 'f' // a Failure as JSON
)

// maxPacket is more than any packet is long.
const maxPacket = 64 << 10

// socketName is the monitor's socket below its directory.
const socketName = "monitor"

// Size is that of a terminal.
type Size struct{ Rows, Cols uint16 }

// Request is what a client asks for, with its first packet.
type Request struct {
	Do string `json:"do"` // attach, stop, exec, signal, pause, unpause, runtime, policy

	Streams bool `json:"streams,omitempty"` // attach: output is wanted, too
	Signal  int  `json:"signal,omitempty"`  // signal, stop
	Seconds int  `json:"seconds,omitempty"` // stop: how long to wait before SIGKILL
	// Args are the words of a call of the runtime.
	Args []string `json:"args,omitempty"`
	// Restart is another restart policy.
	Restart Restart `json:"restart,omitzero"`
	// Process is what exec starts, in words that Orders.Process understands.
	Process  json.RawMessage `json:"process,omitempty"`
	Terminal bool            `json:"terminal,omitempty"`
}

// Failure is an error on its way. Status is the exit status that is due to it, if any, and
// Try what may help.
type Failure struct {
	Text   string `json:"text"`
	Status int    `json:"status,omitempty"`
	Try    string `json:"try,omitempty"`
}

// Hint is what may help.
func (f *Failure) Hint() string { return f.Try }

// Error returns the text.
func (f *Failure) Error() string { return f.Text }

// Conn is a connection between a monitor and a client: packets, whole ones.
type Conn struct{ conn *net.UnixConn }

// Pair makes a connection of which one end is given to a process that is started.
func Pair() (ours *Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, err = NewConn(os.NewFile(uintptr(fds[0]), "monitor"))
	return ours, os.NewFile(uintptr(fds[1]), "client"), err
}

// NewConn makes a connection of its open socket, which it closes.
func NewConn(socket *os.File) (*Conn, error) {
	defer socket.Close()
	conn, err := net.FileConn(socket)
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("the socket is none of AF_UNIX"), conn.Close())
	}
	return &Conn{c}, nil
}

// listen makes the socket. A path may be longer than the 107 bytes that an address holds,
// so it begins at the open directory.
func listen(dir string) (*net.UnixListener, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	_ = os.Remove(filepath.Join(dir, socketName)) // of a monitor that was killed
	listener, err := net.ListenUnix("unixpacket", address(d))
	if err != nil {
		return nil, fmt.Errorf("listen in %s: %w", dir, err)
	}
	// The path is another one for who would unlink it.
	listener.SetUnlinkOnClose(false)
	return listener, nil
}

// address is that of the socket in an open directory.
func address(dir *os.File) *net.UnixAddr {
	path := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName)
	return &net.UnixAddr{Net: "unixpacket", Name: path}
}

// Dial connects to the monitor whose socket is in a directory and makes a request.
func Dial(dir string, r Request, files ...*os.File) (*Conn, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	conn, err := net.DialUnix("unixpacket", nil, address(d))
	if err != nil {
		return nil, err
	}
	c := &Conn{conn}
	if err := c.Send(Asking, marshal(r), files...); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Send sends one packet, with open files.
func (c *Conn) Send(kind Kind, data []byte, files ...*os.File) error {
	packet := append([]byte{byte(kind)}, data...)
	var rights []byte
	if len(files) > 0 {
		var fds []int
		for _, f := range files {
			fds = append(fds, int(f.Fd()))
		}
		rights = unix.UnixRights(fds...)
	}
	_, _, err := c.conn.WriteMsgUnix(packet, rights, nil)
	return err
}

// SendError sends an error with the status that belongs to it.
func (c *Conn) SendError(err error) error {
	failure, ok := errors.AsType[*Failure](err)
	if !ok {
		failure = &Failure{}
	}
	text := Failure{Text: err.Error(), Status: failure.Status, Try: hint.Of(err)}
	return c.Send(Failed, marshal(text))
}

// Receive waits for a packet. Its data is the caller's. The end of the connection is
// io.EOF; a failure that was sent is an error.
func (c *Conn) Receive() (kind Kind, data []byte, files []*os.File, err error) {
	buffer, rights := make([]byte, maxPacket), make([]byte, unix.CmsgSpace(4*4))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(buffer, rights)
	if errors.Is(err, unix.ECONNRESET) {
		err = io.EOF // it ended before it had taken this connection
	}
	if err != nil {
		return 0, nil, nil, err
	}
	if n == 0 {
		return 0, nil, nil, io.EOF
	}
	if files, err = received(rights[:oobn]); err != nil {
		return 0, nil, nil, err
	}
	kind, data = Kind(buffer[0]), buffer[1:n]
	if kind == Failed {
		failure := &Failure{}
		if err := json.Unmarshal(data, failure); err != nil {
			return 0, nil, nil, err
		}
		if failure.Text == ErrEnded.Error() {
			return kind, nil, nil, ErrEnded
		}
		return kind, nil, nil, failure
	}
	return kind, data, files, nil
}

// received are the open files of a packet.
func received(rights []byte) ([]*os.File, error) {
	if len(rights) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// marshal is JSON of what cannot fail to be JSON.
func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}

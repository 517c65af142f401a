package runtime

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Console is who waits for the terminal of a container that is run in the foreground,
// and passes on what is typed and shown. Nil is nobody: there is no terminal.
type Console struct {
	ours, theirs *os.File
	master       *os.File
	typed        *os.File // our own terminal, in raw mode, or nil
	before       *term.State
	done         chan struct{}
}

// NewConsole makes the socket by which the terminal comes.
func NewConsole() (*Console, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair for the terminal: %w", err)
	}
	return &Console{
		ours: os.NewFile(uintptr(ends[0]), "console"), done: make(chan struct{}),
		theirs: os.NewFile(uintptr(ends[1]), "console socket"),
	}, nil
}

// Socket is the end for the container.
func (c *Console) Socket() *os.File { return c.theirs }

// Attach takes the terminal that init has sent, and connects it with ours.
func (c *Console) Attach(in, out *os.File) error {
	if c == nil {
		return nil
	}
	if err := c.receive(); err != nil {
		return fmt.Errorf("receive the terminal: %w", err)
	}
	if term.IsTerminal(int(in.Fd())) {
		before, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return fmt.Errorf("make our terminal raw: %w", err)
		}
		c.typed, c.before = in, before
		c.Resize(in)
	}
	go func() {
		// It ends with ours; then whatever reads there gets no more.
		_, _ = io.Copy(c.master, in)
	}()
	go func() {
		// It ends with EIO when the last process has closed the terminal.
		_, _ = io.Copy(out, c.master)
		close(c.done)
	}()
	return nil
}

// receive takes the open terminal from a message.
func (c *Console) receive() error {
	name, rights := make([]byte, unix.PathMax), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(c.ours.Fd()), name, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return err
	}
	if len(messages) != 1 {
		return errors.New("there is no open file in the message")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	c.master = os.NewFile(uintptr(fds[0]), "terminal")
	return nil
}

// Resize gives the container's terminal the size of ours.
func (c *Console) Resize(ours *os.File) {
	if c == nil || c.master == nil {
		return
	}
	// What is no terminal has no size.
	if size, err := unix.IoctlGetWinsize(int(ours.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(c.master.Fd()), unix.TIOCSWINSZ, size) // it is a wish
	}
}

// Close waits until all was shown, and gives our terminal its mode back.
func (c *Console) Close() {
	if c == nil {
		return
	}
	if c.master != nil {
		<-c.done
		_ = c.master.Close() // nobody is left at the other end
	}
	if c.typed != nil {
		_ = term.Restore(int(c.typed.Fd()), c.before) // it may be gone
	}
	_ = c.ours.Close() // what had to come has come
}

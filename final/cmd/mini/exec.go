package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"lab/final/internal/engine"
	"lab/final/internal/monitor"
)

// execFlags are the flags of `mini exec`.
type execFlags struct {
	x           engine.Exec
	interactive bool
	detach      bool
	env         containerFlags
	keys        string
}

// newExec makes `mini exec`.
func newExec(a *app) *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:     "exec [FLAGS] CONTAINER COMMAND [ARG…]",
		Short:   "Start another process in a running container",
		GroupID: groupContainers,
		Args:    arguments(2, many),
		RunE: func(_ *cobra.Command, args []string) error {
			status, err := f.run(a, args)
			return outcome("exec", status, err)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	flags.BoolVarP(&f.interactive, "interactive", "i", false, "pass on what is typed")
	flags.BoolVarP(&f.x.Tty, "tty", "t", false, "give it a terminal")
	flags.BoolVarP(&f.detach, "detach", "d", false, "leave it running")
	flags.StringVarP(&f.x.User, "user", "u", "", "who it runs as: NAME|UID[:GROUP|GID]")
	flags.StringVarP(&f.x.WorkingDir, "workdir", "w", "", "its directory")
	flags.StringVar(&f.keys, "detach-keys", defaultKeys, "keys that leave its terminal")
	f.env.addEnv(flags)
	return passesStatus(cmd)
}

// run starts the process and, unless it is left alone, waits for its end.
func (f *execFlags) run(a *app, args []string) (int, error) {
	keys, err := parseKeys(f.keys)
	if err != nil {
		return 0, err
	}
	if f.x.Env, err = f.env.variables(); err != nil {
		return 0, err
	}
	f.x.Args = args[1:]
	e, c, err := a.one("exec", args[0])
	if err != nil {
		return 0, err
	}
	if f.x.Tty && !f.detach {
		return f.atTerminal(e, c, keys)
	}
	p, err := newPipes(f.interactive, f.detach)
	if err != nil {
		return 0, err
	}
	conn, _, err := e.Exec(c, f.x, p.theirs())
	p.closeTheirs()
	if err != nil {
		return 0, about("", args[0], err)
	}
	defer conn.Close()
	if f.detach {
		return 0, nil
	}
	defer passTo(conn, nil)()
	said := p.pass()
	status, err := awaitExit(conn)
	said.Wait()
	return status, err
}

// pipes are between our three files and those of a process in a container. It is not
// given ours: what is a file of the host's it could open anew by /proc/self/fd, and write
// to what it was to read.
type pipes struct {
	in, out, err       *os.File // the process's
	input, said, erred *os.File // our ends
}

// newPipes makes them. Without an input there is the end of one at once, and who is left
// alone has no output.
func newPipes(input, quiet bool) (p *pipes, err error) {
	p = &pipes{}
	if p.in, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	if quiet {
		p.out, p.err = p.in, p.in
		return p, nil
	}
	if input {
		_ = p.in.Close() // it was only opened
		if p.in, p.input, err = os.Pipe(); err != nil {
			return nil, err
		}
	}
	if p.said, p.out, err = os.Pipe(); err != nil {
		return nil, err
	}
	p.erred, p.err, err = os.Pipe()
	return p, err
}

// theirs are the process's files.
func (p *pipes) theirs() []*os.File { return []*os.File{p.in, p.out, p.err} }

// closeTheirs closes the process's files, which has them now.
func (p *pipes) closeTheirs() {
	for _, file := range p.theirs() {
		_ = file.Close() // some may be one
	}
}

// pass passes on what is typed and what the process says, until the group is done.
func (p *pipes) pass() *sync.WaitGroup {
	var said sync.WaitGroup
	if p.input != nil {
		go func() {
			_, _ = io.Copy(p.input, os.Stdin) // it may have closed it
			_ = p.input.Close()
		}()
	}
	said.Go(func() { _, _ = io.Copy(os.Stdout, p.said) }) // until all have closed it
	said.Go(func() { _, _ = io.Copy(os.Stderr, p.erred) })
	return &said
}

// atTerminal starts the process at a terminal and sits before it.
func (f *execFlags) atTerminal(e *engine.Engine, c *engine.Container, keys []byte) (int, error) {
	conn, console, err := e.Exec(c, f.x, nil)
	if err != nil {
		return 0, about("", c.Name, err)
	}
	defer conn.Close()
	defer console.Close()
	in := int(os.Stdin.Fd())
	if term.IsTerminal(in) {
		before, err := term.MakeRaw(in)
		if err != nil {
			return 0, fmt.Errorf("make the terminal raw: %w", err)
		}
		defer func() { _ = term.Restore(in, before) }() // it may be gone
	}
	copySize(console)
	defer passTo(conn, console)()
	left := make(chan error, 1)
	if f.interactive {
		go func() { left <- typeTo(console, keys) }()
	}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(os.Stdout, console) // it ends with EIO
	}()
	type end struct {
		status int
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		status, err := awaitExit(conn)
		select {
		case <-shown:
		case <-time.After(lastWords): // what it has left running holds its terminal
		}
		ended <- end{status, err}
	}()
	for {
		select {
		case e := <-ended:
			return e.status, e.err
		case err := <-left:
			if errors.Is(err, errDetached) {
				return 0, nil
			}
		}
	}
}

// lastWords is how long what a process has said at its terminal may take to come here when
// it has ended.
const lastWords = 2 * time.Second

// typeTo passes on what is typed, until the keys are that leave.
func typeTo(console io.Writer, keys []byte) error {
	buffer, watch := make([]byte, 4<<10), keyWatch{keys: keys}
	for {
		n, err := os.Stdin.Read(buffer)
		pass, detached := watch.filter(buffer[:n])
		if _, err := console.Write(pass); err != nil {
			return err
		}
		if detached {
			return errDetached
		}
		if err != nil {
			return err
		}
	}
}

// copySize gives a terminal the size of ours.
func copySize(console *os.File) {
	if size, err := unix.IoctlGetWinsize(int(os.Stdin.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(console.Fd()), unix.TIOCSWINSZ, size) // it is a wish
	}
}

// passTo passes on signals to the process, until the function that it returns is called.
func passTo(conn *monitor.Conn, console *os.File) (stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGWINCH)
	go func() {
		for received := range signals {
			if received != unix.SIGWINCH {
				// It may have ended.
				_ = conn.Send(monitor.Signal, fmt.Append(nil, int(received.(unix.Signal))))
			} else if console != nil {
				copySize(console)
			}
		}
	}()
	return func() { signal.Stop(signals) }
}

// awaitExit waits for the end of the process.
func awaitExit(conn *monitor.Conn) (int, error) {
	for {
		kind, data, _, err := conn.Receive()
		if errors.Is(err, io.EOF) {
			return 0, errors.New("the container's monitor is gone")
		}
		if err != nil {
			return 0, err
		}
		if kind == monitor.Exited {
			var s monitor.State
			err := json.Unmarshal(data, &s)
			return s.ExitCode, err
		}
	}
}

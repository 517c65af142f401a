//go:build linux

package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// defaultPath is where commands are looked for when PATH is not set.
const defaultPath = "/bin:/sbin:/usr/bin:/usr/sbin"

// shell is the state the interpreter does not have: real children, jobs and traps.
type shell struct {
	runner      *interp.Runner
	parser      *syntax.Parser
	interactive bool
	interrupt   func() // ends the line that runs at a terminal
	children    children

	planned []*syntax.Stmt // background statements, by number; see rewrite
	jobs    []*job

	mu     sync.Mutex
	traps  map[os.Signal]string
	caught chan os.Signal
}

// sh is the applet sh: a command (-c), a script file, standard input, or a terminal.
func sh(c *call) error {
	line, err := parseShellLine(c.args)
	if err != nil {
		return err
	}
	s := &shell{
		parser: syntax.NewParser(), traps: map[os.Signal]string{},
		caught: make(chan os.Signal, 16),
	}
	spareThreads(4)
	s.children.start()
	s.interactive = !line.hasCommand && line.script == "" &&
		term.IsTerminal(0) && term.IsTerminal(1)
	if s.runner, err = s.newRunner(line); err != nil {
		return err
	}

	name := line.name
	switch {
	case line.hasCommand:
		return s.runAll(strings.NewReader(line.command), name)
	case line.script != "":
		file, err := os.Open(line.script)
		if err != nil {
			tell(c.errOut, "sh: %v\n", err)
			return status(127)
		}
		defer file.Close()
		return s.runAll(file, name)
	case s.interactive:
		return s.runTerminal(name)
	}
	return s.runStream(os.Stdin, name)
}

// spareThreads makes the Go runtime start n threads now, which then stand idle. It
// aborts the program when it needs a thread and a pids limit refuses it, so the shell
// takes its own before the commands it runs can use the limit up.
func spareThreads(n int) {
	var idle sync.WaitGroup
	locked := make(chan struct{}, n)
	release := make(chan struct{})
	for range n {
		idle.Go(func() {
			// A locked goroutine keeps its thread while it waits.
			runtime.LockOSThread()
			locked <- struct{}{}
			<-release
			runtime.UnlockOSThread()
		})
	}
	for range n {
		<-locked
	}
	close(release)
	idle.Wait()
}

// shellLine is the command line of sh.
type shellLine struct {
	command    string
	hasCommand bool
	script     string
	name       string   // $0
	params     []string // $1 …
	set        []string // options for set: -e -u -x
}

// parseShellLine parses `[-eux] [-c COMMAND [NAME [ARG…]] | SCRIPT [ARG…]]`. The
// options -i, -l and -s change nothing.
func parseShellLine(args []string) (shellLine, error) {
	line := shellLine{name: "sh"}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			break
		}
		for _, letter := range arg[1:] {
			switch letter {
			case 'c':
				line.hasCommand = true
			case 'e', 'u', 'x':
				line.set = append(line.set, "-"+string(letter))
			case 'i', 'l', 's':
			default:
				return line, misused("unknown option -%c", letter)
			}
		}
	}
	if line.hasCommand {
		if len(args) == 0 {
			return line, misused("option -c needs a command")
		}
		line.command, args = args[0], args[1:]
	} else if len(args) > 0 {
		line.script = args[0]
	}
	if len(args) > 0 {
		line.name, line.params = args[0], args[1:]
	}
	return line, nil
}

// newRunner makes the interpreter with our way to run commands.
func (s *shell) newRunner(line shellLine) (*interp.Runner, error) {
	env := os.Environ()
	if _, ok := os.LookupEnv("PATH"); !ok {
		env = append(env, "PATH="+defaultPath)
	}
	if _, ok := os.LookupEnv("HOME"); !ok {
		env = append(env, "HOME=/")
	}
	// The directory may be out of reach, for example left behind by pivot_root(2).
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	return interp.New(
		interp.Env(expand.ListEnviron(env...)),
		interp.Dir(dir),
		interp.StdIO(os.Stdin, os.Stdout, os.Stderr),
		interp.Params(append(append(line.set, "--"), line.params...)...),
		interp.Interactive(s.interactive),
		interp.CallHandler(s.call),
		interp.OpenHandler(open),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc {
			return s.exec
		}),
	)
}

// runAll runs a whole script as one program.
func (s *shell) runAll(script io.Reader, name string) error {
	file, err := s.parser.Parse(script, name)
	if err != nil {
		return s.syntaxError(err)
	}
	s.rewrite(file.Stmts)
	return s.leave(s.runner.Run(context.Background(), file))
}

// runStream runs statements while they arrive, so that a command of the script may
// read the lines after its own.
func (s *shell) runStream(stdin io.Reader, name string) error {
	err := s.run(&syntax.File{Name: name})
	for stmts, perr := range s.parser.InteractiveSeq(oneByte{stdin}) {
		if perr != nil {
			return s.syntaxError(perr)
		}
		if s.parser.Incomplete() {
			continue
		}
		s.rewrite(stmts)
		for _, stmt := range stmts {
			err = s.run(stmt)
			if s.runner.Exited() {
				return s.leave(err)
			}
		}
	}
	return s.leave(err)
}

// run runs one node and keeps the process's own directory where the shell is, so
// that /proc/PID/cwd and umount(2) see the truth.
func (s *shell) run(node syntax.Node) error {
	err := s.runner.Run(context.Background(), node)
	_ = os.Chdir(s.runner.Dir) // A directory that is gone is the shell's business.
	return err
}

// syntaxError reports a script that does not parse.
func (s *shell) syntaxError(err error) error {
	tell(os.Stderr, "sh: %v\n", err)
	return status(2)
}

// leave turns the interpreter's last error into the applet's.
func (s *shell) leave(err error) error {
	if code, ok := errors.AsType[interp.ExitStatus](err); ok {
		return status(code)
	}
	return err
}

// oneByte reads one byte at a time, so that the parser never takes input that
// belongs to the commands of the script.
type oneByte struct{ r io.Reader }

// Read reads at most one byte.
func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// trap implements `trap ACTION SIGNAL…` for signals; the interpreter itself knows
// EXIT and ERR. An empty action ignores the signal, "-" restores the default.
func (s *shell) trap(action string, names []string) error {
	for _, name := range names {
		sig, ok := signalByName(name)
		if !ok {
			return fmt.Errorf("trap: unknown signal %q", name)
		}
		s.mu.Lock()
		switch action {
		case "":
			delete(s.traps, sig)
			signal.Ignore(sig)
		case "-":
			delete(s.traps, sig)
			// Reset alone does not bring back what Ignore has taken away.
			signal.Notify(make(chan os.Signal, 1), sig)
			if os.Getpid() != 1 {
				signal.Reset(sig)
			}
		default:
			s.traps[sig] = action
			signal.Notify(s.caught, sig)
		}
		s.mu.Unlock()
	}
	return nil
}

// runTraps runs the actions of the signals that came since the last call. Like any
// shell it does so between commands, never while one runs.
func (s *shell) runTraps(ctx context.Context, hc interp.HandlerContext) error {
	for {
		select {
		case sig := <-s.caught:
			s.mu.Lock()
			action := s.traps[sig]
			s.mu.Unlock()
			// The colon keeps the action's status from becoming the command's.
			if err := hc.Builtin(ctx, []string{"eval", action + "\n:"}); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// statusOf returns the exit status a shell gives a child: its own or 128+n.
func statusOf(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

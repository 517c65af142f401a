//go:build linux

package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// exec runs a command that is neither function nor builtin of the interpreter: one
// of our own builtins, or an external command.
func (s *shell) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	if name, ok := strings.CutPrefix(args[0], own); ok {
		return s.builtin(ctx, hc, name, args[1:])
	}
	err := s.external(ctx, hc, args)
	if terr := s.runTraps(ctx, hc); terr != nil {
		return terr
	}
	return err
}

// open opens a file of a redirection. A named pipe's waits for its other end.
func open(ctx context.Context, path string, flag int, mode os.FileMode) (
	io.ReadWriteCloser, error,
) {
	at := path
	if !filepath.IsAbs(path) {
		at = filepath.Join(interp.HandlerCtx(ctx).Dir, path)
	}
	if info, err := os.Stat(at); err == nil && info.Mode().Type() == os.ModeNamedPipe {
		jobOf(ctx).lingers()
	}
	return interp.DefaultOpenHandler()(ctx, path, flag, mode)
}

// external runs a program as a child and waits for it.
func (s *shell) external(ctx context.Context, hc interp.HandlerContext, args []string) error {
	path, code, err := lookup(hc, args[0])
	if err != nil {
		tell(hc.Stderr, "sh: %s: %v\n", args[0], err)
		return interp.ExitStatus(code)
	}
	cmd := command(hc, path, args)
	background := jobOf(ctx)
	if background != nil && s.interactive {
		// A group of its own keeps the terminal's Ctrl-C away from a background job.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	end, err := s.children.run(cmd)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without a #! line is run by another copy of this shell.
		cmd = command(hc, "/proc/self/exe", append([]string{"sh", path}, args[1:]...))
		end, err = s.children.run(cmd)
	}
	if err != nil {
		tell(hc.Stderr, "sh: %s: %v\n", args[0], cause(err))
		return interp.ExitStatus(126)
	}
	if background != nil {
		background.started(cmd.Process.Pid)
	}
	ws, err := finish(cmd, end)
	if err != nil {
		return err
	}
	if ws.Signaled() && background == nil {
		sayKilled(hc, ws)
		if s.interactive && ws.Signal() == syscall.SIGINT {
			// The shell's own SIGINT may come later than this end.
			s.interrupt()
		}
	}
	if code := statusOf(ws); code != 0 {
		return interp.ExitStatus(code)
	}
	return nil
}

// command prepares the child: argv kept whole, with the shell's directory,
// variables and streams.
func command(hc interp.HandlerContext, path string, args []string) *exec.Cmd {
	return &exec.Cmd{
		Path: path, Args: args, Env: environ(hc.Env), Dir: hc.Dir,
		Stdin: hc.Stdin, Stdout: hc.Stdout, Stderr: hc.Stderr,
	}
}

// sayKilled tells which signal ended a command, except the two that a person or a
// closed pipe causes all the time.
func sayKilled(hc interp.HandlerContext, ws syscall.WaitStatus) {
	switch ws.Signal() {
	case syscall.SIGINT, syscall.SIGPIPE:
	case syscall.SIGKILL:
		tell(hc.Stderr, "Killed\n")
	default:
		text := ws.Signal().String()
		tell(hc.Stderr, "%s\n", strings.ToUpper(text[:1])+text[1:])
	}
}

// lookup finds the program of a command name and says why it cannot run: status 127
// when there is none, 126 when there is one that cannot be executed.
func lookup(hc interp.HandlerContext, name string) (path string, code int, err error) {
	if strings.Contains(name, "/") {
		path = name
		if !filepath.IsAbs(path) {
			path = filepath.Join(hc.Dir, path)
		}
		err := executable(path)
		if errors.Is(err, fs.ErrNotExist) {
			return "", 127, errors.New("not found")
		}
		return path, 126, err
	}
	err, code = errors.New("not found"), 127
	for _, dir := range filepath.SplitList(hc.Env.Get("PATH").String()) {
		path = filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(hc.Dir, path)
		}
		xerr := executable(path)
		if xerr == nil {
			return path, 0, nil
		}
		if errors.Is(xerr, fs.ErrPermission) {
			err, code = xerr, 126
		}
	}
	return "", code, err
}

// executable returns nil for a file that execve(2) may take.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return cause(err)
	case info.IsDir():
		return syscall.EISDIR
	case unix.Access(path, unix.X_OK) != nil:
		return syscall.EACCES
	}
	return nil
}

// cause returns the errno of an error, without the call and the path.
func cause(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

// environ returns the exported variables in the form of execve(2).
func environ(env expand.Environ) []string {
	vars := map[string]string{}
	env.Each(func(name string, v expand.Variable) bool {
		// A later report of a name is the inner scope's and hides the earlier.
		delete(vars, name)
		if v.Exported && v.Kind == expand.String {
			vars[name] = v.Str
		}
		return true
	})
	list := make([]string, 0, len(vars))
	for name, value := range vars {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// replace is `exec COMMAND`: the shell's process becomes the command.
func (s *shell) replace(hc interp.HandlerContext, args []string) error {
	path, code, err := lookup(hc, args[0])
	if err == nil {
		err = becomes(hc, path, args)
		code = 126
	}
	tell(hc.Stderr, "sh: exec: %s: %v\n", args[0], cause(err))
	os.Exit(code)
	return nil
}

// becomes puts the streams on descriptors 0 to 2, enters the shell's directory and
// executes the program. It returns only when that is impossible.
func becomes(hc interp.HandlerContext, path string, args []string) error {
	for fd, stream := range []any{hc.Stdin, hc.Stdout, hc.Stderr} {
		file, ok := stream.(*os.File)
		if !ok || file == nil || int(file.Fd()) == fd {
			continue
		}
		if err := unix.Dup3(int(file.Fd()), fd, 0); err != nil {
			return fmt.Errorf("dup3 of descriptor %d: %w", fd, err)
		}
	}
	if err := os.Chdir(hc.Dir); err != nil {
		return err
	}
	return syscall.Exec(path, args, environ(hc.Env))
}

// children are the processes of this shell, each with a channel for its end. One
// goroutine takes the status of every child that ends, in answer to SIGCHLD: as PID 1
// the shell must reap the orphans that the kernel gives it as well, and a wait(2) for
// each child would block one thread for each, which a pids limit counts.
type children struct {
	mu    sync.Mutex
	known map[int]chan syscall.WaitStatus
}

// start starts the reaper.
func (c *children) start() {
	c.known = map[int]chan syscall.WaitStatus{}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			c.reap()
		}
	}()
}

// reap takes the status of every child that has ended; one that is not known is an
// orphan, and reaping it is all it needs.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if end, ok := c.known[pid]; ok {
			end <- ws
			delete(c.known, pid)
		}
	}
}

// run starts a child. The lock keeps the reaper away until its pid is known.
func (c *children) run(cmd *exec.Cmd) (<-chan syscall.WaitStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := make(chan syscall.WaitStatus, 1)
	c.known[cmd.Process.Pid] = end
	return end, nil
}

// finish waits for the end of a child and of the copying of its output.
func finish(cmd *exec.Cmd, end <-chan syscall.WaitStatus) (syscall.WaitStatus, error) {
	ws := <-end
	// The child is reaped already, which is what ECHILD says.
	if err := cmd.Wait(); err != nil && !errors.Is(err, syscall.ECHILD) {
		return ws, fmt.Errorf("wait for process %d: %w", cmd.Process.Pid, err)
	}
	return ws, nil
}

//go:build linux

package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
	"lab/internal/box"
)

// toolbox is where a debugger finds the built-in tools. The directory is in each /proc,
// so nothing has to be made in the container, whatever its image is.
const toolbox = "/proc/driver"

// debugged are the namespaces that a debugger shares with its container.
const debugged = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// Debug runs a command among the processes of a running container, which need not have a
// shell: the built-in tools are mounted beside its files, in a mount namespace that is the
// command's alone. The command has the rights of whoever calls, as with nsenter(1), and
// none of the container's limits. Its exit status is returned.
func (e *Engine) Debug(c *Container, command []string) (int, error) {
	if !c.State.Running {
		return 0, ErrNotRunning
	}
	ended := make(chan result, 1)
	go func() {
		// The thread that has entered never leaves: it ends with this function.
		runtime.LockOSThread()
		status, err := debug(c, command)
		ended <- result{status, err}
	}()
	r := <-ended
	return r.status, r.err
}

// result is what a command came to.
type result struct {
	status int
	err    error
}

// debug runs the command, on a thread that is nobody else's.
func debug(c *Container, command []string) (int, error) {
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	defer program.Close()
	if err := enter(c); err != nil {
		return 0, fmt.Errorf("enter: %w", err)
	}
	if err := mountTools(program); err != nil {
		return 0, fmt.Errorf("mount the tools: %w", err)
	}
	path, err := findTool(command[0])
	if err != nil {
		return 0, commandError(err)
	}
	process, err := os.StartProcess(path, command, &os.ProcAttr{
		Dir: "/", Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Env: debugEnv(c),
	})
	if err != nil {
		return 0, commandError(err)
	}
	// What is typed at a terminal is for the command.
	signal.Ignore(unix.SIGINT, unix.SIGQUIT)
	state, err := process.Wait()
	if err != nil {
		return 0, err
	}
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), nil
	}
	return state.ExitCode(), nil
}

// findTool finds a command among the tools, or else in the container.
func findTool(name string) (string, error) {
	tool := filepath.Join(toolbox, name)
	if _, err := os.Lstat(tool); err == nil && filepath.Base(name) == name {
		return tool, nil
	}
	return exec.LookPath(name)
}

// debugEnv are the container's variables, with the tools before its own programs.
func debugEnv(c *Container) []string {
	env := mergeEnv([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}, c.Config.Env)
	for i, variable := range env {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			env[i] = "PATH=" + toolbox + ":" + path
		}
	}
	if kind, ok := os.LookupEnv("TERM"); ok {
		env = mergeEnv(env, []string{"TERM=" + kind})
	}
	return env
}

// commandError is an error about the command, with the status that belongs to it.
func commandError(err error) error {
	status := 126
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		status = 127
	}
	return &monitor.Failure{Text: err.Error(), Status: status}
}

// enter joins the namespaces of the container's first process, and makes the mounts a
// copy: what is mounted from here on is seen by nobody else.
//
//	nsenter --target PID --mount --pid --net --ipc --uts --cgroup unshare --mount
func enter(c *Container) error {
	pidfd, err := unix.PidfdOpen(c.State.Pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", c.State.Pid, err)
	}
	defer unix.Close(pidfd) //nolint:errcheck // It was opened to be entered.
	// A thread that shares its working directory with others cannot have other mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare the working directory: %w", err)
	}
	if err := unix.Setns(pidfd, debugged); err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / a private mount: %w", err)
	}
	return nil
}

// mountTools mounts a directory with the built-in tools, which nobody can write to: a copy
// of our program and a name for each of its applets. It is no mount of the program itself,
// for ordinary users may not make one.
//
//	mount -t tmpfs tmpfs /proc/driver; cp mini /proc/driver
//	ln -s mini /proc/driver/ls …
//	mount -o remount,ro /proc/driver
func mountTools(program io.Reader) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV
	if err := unix.Mount("tmpfs", toolbox, "tmpfs", flags, "mode=755"); err != nil {
		return fmt.Errorf("tmpfs on %s: %w", toolbox, err)
	}
	if err := writeTool(filepath.Join(toolbox, "mini"), program); err != nil {
		return err
	}
	for _, name := range box.Applets() {
		if err := os.Symlink("mini", filepath.Join(toolbox, name)); err != nil {
			return err
		}
	}
	if err := unix.Mount("", toolbox, "", flags|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", toolbox, err)
	}
	return nil
}

// writeTool writes an executable file.
func writeTool(path string, program io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, program)
	return errors.Join(err, file.Close())
}

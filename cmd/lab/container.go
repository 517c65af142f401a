//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/internal/baseroot"
	"lab/internal/check"
	"lab/internal/course"
	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/program"
)

// runStep runs a step's program with a fresh built-in root and passes its exit
// status on.
func runStep(ctx context.Context, step course.Step, args []string) error {
	path, err := program.Path(ctx, step.ID)
	if err != nil {
		return noProgram(err)
	}
	// Before anything is made: a signal that comes now must not end lab.
	signals := listen()
	defer signal.Stop(signals)
	line := splitLine(args)
	run := begin(step, line)
	status, err := runIn(run, signals, func(root string) (*exec.Cmd, error) {
		return stepCommand(step, line, path, root)
	})
	if err = errors.Join(err, endRun(run)); err != nil {
		return err
	}
	_ = remember(step.ID) // a home that cannot be written to is no reason to fail
	if status != 0 {
		return exited(status)
	}
	return nil
}

// begin writes into the journal what a step will make on the host.
func begin(step course.Step, line stepLine) *journal.Run {
	plan := journal.Plan{
		Command: append([]string{"lab", "run", step.ID[:2]}, line.words()...),
		Step:    step.ID,
		Bridge:  step.ID >= "04-net" && os.Geteuid() == 0,
		Upper:   line.value("upper"),
	}
	if step.ID >= "05-cgroups" && line.has("memory", "cpus", "pids") {
		plan.Cgroups, _ = journal.CgroupParents() // none: the step will say why
	}
	return beginRun(plan)
}

// beginRun begins a run. A journal that cannot be written is no reason to
// refuse it, but is said.
func beginRun(plan journal.Plan) *journal.Run {
	run, err := journal.Begin(plan)
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v; if lab is killed, `lab clean` knows nothing\n", err)
	}
	return run
}

// endRun removes what lab has made for a run.
func endRun(run *journal.Run) error {
	err := run.End()
	if err == nil {
		return nil
	}
	return hinted{err, "sudo lab clean"} // files inside may be another user's
}

// stepCommand makes the command line that runs a step's program.
func stepCommand(
	step course.Step, line stepLine, path, root string,
) (*exec.Cmd, error) {
	if step.Rootfs && !line.has("rootfs", "lower", "h", "help") {
		line.flags = append([]string{"-rootfs", root}, line.flags...)
	}
	if len(line.command) == 0 && !line.has("h", "help") {
		line.command = []string{"sh"}
	}
	cmd := exec.Command(path,
		slices.Concat([]string{"run"}, line.flags, []string{"--"}, line.command)...)
	cmd.Env = append(os.Environ(), "PATH="+searchPath(root))
	return cmd, lowerPrivileges(cmd, step, line)
}

// runIn makes the run's root and runs the command that is made for it. A
// signal that came before there was a command to pass it on to ends the run.
func runIn(
	run *journal.Run, signals chan os.Signal, command func(root string) (*exec.Cmd, error),
) (int, error) {
	root, err := temporaryRoot(run)
	if err != nil {
		return 0, err
	}
	cmd, err := command(root)
	if err != nil {
		return 0, err
	}
	select {
	case s := <-signals:
		return 0, exited(128 + int(s.(syscall.Signal)))
	default:
	}
	return pass(cmd, run, signals)
}

// noProgram gives an error of package program a hint.
func noProgram(err error) error {
	switch {
	case errors.Is(err, program.ErrNoGo):
		return hinted{err, "install Go, or put it on PATH"}
	case errors.Is(err, program.ErrNoSource):
		return hinted{err, "run lab in a checkout of the container lab, or make build there"}
	}
	return err
}

// temporaryRoot writes the built-in root into the run's own directory, which
// goes with the run: what a container changes there is gone with it.
func temporaryRoot(run *journal.Run) (root string, err error) {
	if err := run.MakeDirectory(); err != nil {
		return "", err
	}
	root = filepath.Join(run.Directory, "root")
	source, err := baseroot.ParseSource(os.Getenv(rootfsVariable))
	if err != nil {
		return "", err
	}
	return root, writeRoot(root, source)
}

// searchPath is the PATH of a step: in the container's root the standard
// places, and for steps that have none yet the built-in tools after the host's.
func searchPath(root string) string {
	standard := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	return standard + ":" + filepath.Join(root, "bin")
}

// lowerPrivileges makes a step's program work for an ordinary user: it starts
// in a user namespace in which they are root. It says so in one line. With limits
// it starts in a cgroup of its own, where systemd has to be asked for one.
func lowerPrivileges(cmd *exec.Cmd, step course.Step, line stepLine) error {
	facts := need.Look()
	limited := line.has("memory", "cpus", "pids")
	var scope []string
	if limited {
		scope = delegatedScope(step, facts)
	}
	if os.Geteuid() == 0 || line.has("user") {
		return prefix(cmd, scope...)
	}
	if !facts.UserNS.OK {
		return hinted{
			fmt.Errorf("run %s as an ordinary user: %s", step.ID, facts.UserNS.Why),
			asRoot(),
		}
	}
	if limited && !mayLimit(facts) {
		// The step would say so, too, but its hint would name a root that is
		// gone when it is pasted.
		return hinted{
			fmt.Errorf("run %s with limits: no cgroup is delegated to uid %d", step.ID, facts.UID),
			asRoot(),
		}
	}
	fmt.Fprintf(os.Stderr, "lab: uid %d is root in a user namespace of its own from here on\n",
		os.Getuid())
	if scope != nil {
		return prefix(cmd, append(scope, "unshare", "--user", "--map-root-user")...)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	return nil
}

// asRoot is this very command line for root, ready to be pasted.
func asRoot() string {
	words := slices.Clone(os.Args)
	if path, err := exec.LookPath(words[0]); err == nil {
		words[0] = path // sudo(8) searches a PATH of its own
	}
	words = check.ShellWords(words)
	if strings.Contains(words[0], "/go-build") {
		words[0] = "go run ./cmd/lab" // what go run made is gone by then
	}
	return "sudo " + strings.Join(words, " ")
}

// delegatedScope returns the command that asks systemd for a cgroup in which
// the step may make others, where it needs one and systemd can be asked.
func delegatedScope(step course.Step, facts need.Facts) []string {
	wants := step.ID >= "05-cgroups"
	if !wants || !facts.Systemd || facts.Cgroups.Mode != "v2" || facts.Tools["systemd-run"] == "" {
		return nil
	}
	scope := []string{"systemd-run", "--quiet", "--scope", "-p", "Delegate=yes"}
	if !facts.RealRoot {
		if os.Getenv("XDG_RUNTIME_DIR") == "" {
			return nil // no service manager of this user to ask
		}
		scope = append(scope, "--user")
	}
	return append(scope, "--")
}

// prefix puts a command, if there is one, before another, which it will execute.
func prefix(cmd *exec.Cmd, words ...string) error {
	if len(words) == 0 {
		return nil
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return err
	}
	cmd.Args = slices.Concat(words, []string{cmd.Path}, cmd.Args[1:])
	cmd.Path = path
	return nil
}

// listen catches the signals that are meant for the program that lab runs.
func listen() chan os.Signal {
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP,
		unix.SIGUSR1, unix.SIGUSR2)
	return signals
}

// pass runs a program on the terminal that lab has and returns its exit
// status. What the keyboard sends reaches the program without lab, so lab
// only has to survive it; all other signals are passed on.
func pass(cmd *exec.Cmd, run *journal.Run, signals <-chan os.Signal) (int, error) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// The signal comes when the starting thread ends, so it must not end.
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	defer watchContainer(run, cmd.Process.Pid)()
	// A key that was pressed before the program was there did not reach it.
	for range len(signals) {
		_ = cmd.Process.Signal(<-signals) // it may have ended already
	}
	go func() {
		for s := range signals {
			if !typed(s) {
				_ = cmd.Process.Signal(s) // it may have ended already
			}
		}
	}()
	err := cmd.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return 0, fmt.Errorf("wait for %s: %w", strings.Join(cmd.Args, " "), err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return ws.ExitStatus(), nil
}

// typed reports whether a signal comes from the keyboard of our terminal.
func typed(s os.Signal) bool {
	foreground, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fromKey := s == unix.SIGINT || s == unix.SIGQUIT
	return fromKey && err == nil && foreground == unix.Getpgrp()
}

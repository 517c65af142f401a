//go:build linux

package rootless

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"lab/final/internal/stage"
)

// entered is the variable by which a process knows that it is in its user's namespace.
const entered = "MINI_ENTERED"

// Entered reports whether this process is root of the namespace of an ordinary user.
func Entered() bool { return os.Getenv(entered) != "" && os.Geteuid() == 0 }

// Call is a call of this program.
type Call struct {
	State, Root string
	Args        []string
	Warn        func(text string) // is told what is worth a line
}

// Enter runs this program in the user's namespace, with our files, waits for its end and
// returns its exit status. Signals are passed on.
func Enter(c Call) (int, error) {
	if err := ownDir(c.State); err != nil {
		return 0, err
	}
	users := userDir(c.State)
	held, err := hold(users)
	if err != nil {
		return 0, err
	}
	defer held.Close()
	m := ownMaps()
	if err := m.remember(c.Root, c.Warn); err != nil {
		return 0, err
	}
	anyone := func(keeper) bool { return true }
	k, err := findOrStart(users, anyone, func(word *os.File) error {
		return startKeeper(users, m, word)
	})
	if err != nil {
		return 0, err
	}
	pidfd, err := stage.Pidfd(k.Pid)
	if err != nil {
		return 0, err
	}
	defer pidfd.Close()
	// The signal at our end that the program asks for is that of this thread's end.
	runtime.LockOSThread()
	pid, err := start(&stage.Child{
		Args: c.Args, Env: append(os.Environ(), entered+"="+fmt.Sprint(os.Getpid())),
		Files:  []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Target: pidfd, Join: unix.CLONE_NEWUSER,
	})
	if err != nil {
		return 0, err
	}
	return follow(pid)
}

// Follow keeps the namespace until this process has ended. Unless it is to stay, as a
// monitor is, it ends with the one that entered for it.
func Follow(state string, stay bool) error {
	if !Entered() {
		return nil
	}
	held, err := hold(userDir(state))
	if err != nil {
		return err
	}
	defer held.Close()
	// A number is no variable that nobody uses any longer, whose file Go would close.
	if _, err := unix.FcntlInt(held.Fd(), unix.F_DUPFD_CLOEXEC, 3); err != nil {
		return fmt.Errorf("keep %s open: %w", held.Name(), err)
	}
	if stay {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_PDEATHSIG: %w", err)
	}
	return nil
}

// userDir is the directory of who keeps the user namespace.
func userDir(state string) string { return filepath.Join(state, "user") }

// ownDir makes the directory of what a reboot ends, which may be in one where everybody
// may make one of that name.
func ownDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s: it is no directory of yours, as --state has to be", path)
	}
	return nil
}

// start starts this program by stage's means.
func start(c *stage.Child) (pid int, err error) {
	if c.Exe, err = os.Open("/proc/self/exe"); err != nil {
		return 0, err
	}
	defer c.Exe.Close()
	return stage.Start(c)
}

// startKeeper makes the user namespace, with the keeper as its root.
//
//	unshare --user --map-users … --map-groups … mini-keeper DIR &
func startKeeper(dir string, m maps, word *os.File) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	_, err = start(&stage.Child{
		Args: []string{KeeperName, dir}, Env: os.Environ(),
		Files: []*os.File{null, null, null, word},
		New:   unix.CLONE_NEWUSER, UIDs: m.users, GIDs: m.groups,
	})
	if err != nil {
		return &RefusedError{err}
	}
	return nil
}

// RefusedError means that there is no user namespace to be had.
type RefusedError struct{ Err error }

// Error is what was refused.
func (e *RefusedError) Error() string { return "make a user namespace: " + e.Err.Error() }

// Unwrap returns what was refused.
func (e *RefusedError) Unwrap() error { return e.Err }

// Hint says which setting may forbid it.
func (e *RefusedError) Hint() string {
	for _, s := range []struct{ file, forbids, setting string }{
		{"user/max_user_namespaces", "0\n", "user.max_user_namespaces=10000"},
		{"kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1"},
		{
			"kernel/apparmor_restrict_unprivileged_userns", "1\n",
			"kernel.apparmor_restrict_unprivileged_userns=0",
		},
	} {
		text, err := os.ReadFile("/proc/sys/" + s.file)
		if err == nil && string(text) == s.forbids {
			return "sudo sysctl " + s.setting + ", or sudo mini"
		}
	}
	return "sudo mini"
}

// follow waits for the end of a child and passes signals on to it. Its exit status is
// that of a shell.
func follow(pid int) (int, error) {
	pidfd, err := stage.Pidfd(pid)
	if err != nil {
		return 0, err
	}
	defer pidfd.Close()
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1,
		unix.SIGUSR2, unix.SIGALRM)
	go func() {
		for received := range signals {
			s, isSignal := received.(unix.Signal)
			if !isSignal || isKey(s) && atTerminal() {
				continue
			}
			_ = unix.PidfdSendSignal(int(pidfd.Fd()), s, nil, 0) // it may have ended
		}
	}()
	defer signal.Stop(signals)
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", pid, err)
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		default:
			return status.ExitStatus(), nil
		}
	}
}

// isKey reports whether a terminal sends a signal for a key, or for its own end.
func isKey(s unix.Signal) bool {
	return s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGHUP
}

// atTerminal reports whether a terminal sends us signals for keys: then it has sent them
// to our child as well.
func atTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

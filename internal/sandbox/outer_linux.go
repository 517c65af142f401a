package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// statusOurs is the exit status of a sandbox that failed itself.
const statusOurs = 125

// grace is what the tests get to end by themselves after a signal.
const grace = 5 * time.Second

// ready is what init writes when the throw-away host stands.
const ready = "ready"

// namespaces are the new host's own. The cgroup namespace is not among them:
// its root is the cgroup that a process is in when it makes the namespace, so
// enter makes it after it has joined.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// runOuter makes the throw-away host, waits for its end and removes its
// cgroups. An error means that no test has run.
func runOuter(m M, tasks int) (status int, err error) {
	var more []string
	if l, ok := m.(Limiter); ok {
		more = l.Controllers()
	}
	cgroups := makeCgroups(tasks, more)
	defer func() {
		if left := removeCgroups(cgroups); left != nil {
			fmt.Fprintln(os.Stderr, "sandbox:", left)
			status = max(status, 1)
		}
	}()

	status, err = runHost(cgroups, os.Geteuid() != 0)
	if errors.Is(err, unix.EPERM) && os.Geteuid() == 0 {
		// The root of a container may lack CAP_SYS_ADMIN, yet have it in a
		// user namespace of its own.
		return runHost(cgroups, true)
	}
	return status, err
}

// runHost starts PID 1 of the new host and returns the tests' exit status.
func runHost(cgroups []cgroup, userNS bool) (int, error) {
	// The signal that ends PID 1 with its parent is tied to the thread that
	// started it, so this one must live as long as the tests.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	said, saying, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make a pipe: %w", err)
	}
	defer said.Close()
	first, err := firstProcess(cgroups, userNS)
	if err != nil {
		return 0, err
	}
	first.ExtraFiles = []*os.File{saying}

	// From here on a signal must not end this process: it removes the cgroups.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)

	startErr := first.Start()
	// The end of what init says is seen once this copy is closed.
	if err := errors.Join(startErr, saying.Close()); err != nil {
		return 0, startError(err)
	}
	ended := make(chan struct{})
	go passOn(signals, first.Process, ended)
	word, readErr := io.ReadAll(said)
	waitErr := first.Wait()
	close(ended)
	return judge(string(word), errors.Join(readErr, hardError(waitErr)), first.ProcessState)
}

// startError names the call that os/exec makes: the errno below the path of
// the program is that of clone(2).
func startError(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		err = pathErr.Err
	}
	return fmt.Errorf("clone with new namespaces: %w", err)
}

// firstProcess describes PID 1: this program in new namespaces.
func firstProcess(cgroups []cgroup, userNS bool) (*exec.Cmd, error) {
	names, err := outside()
	if err != nil {
		return nil, err
	}
	environ, err := orders{Stage: stageEnter, Cgroups: cgroups, Outside: names}.environ()
	if err != nil {
		return nil, err
	}
	first := exec.Command("/proc/self/exe")
	first.Args = os.Args
	first.Env = environ
	first.Stdin, first.Stdout, first.Stderr = os.Stdin, os.Stdout, os.Stderr
	first.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	if userNS {
		// unshare --user --map-root-user
		first.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		first.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		first.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return first, nil
}

// hardError drops the error that merely tells of an exit status.
func hardError(err error) error {
	if _, status := errors.AsType[*exec.ExitError](err); status {
		return nil
	}
	return err
}

// judge tells a host that never stood, which is an error, from tests that
// ran, which have a status. Before the tests start, init's end of the pipe
// says either "ready" or what failed.
func judge(word string, err error, state *os.ProcessState) (int, error) {
	ws, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case err != nil:
		return 0, err
	case word == ready && ws.Signaled():
		return 128 + int(ws.Signal()), nil
	case word == ready:
		return ws.ExitStatus(), nil
	case word != "":
		return 0, &setupError{word}
	case ws.Signaled():
		return 128 + int(ws.Signal()), nil // interrupted before it stood
	}
	return 0, fmt.Errorf("the first process ended without a word: %s", state)
}

// setupError is what the first process says about the host it could not make.
type setupError struct{ text string }

func (e *setupError) Error() string { return e.text }

// Unwrap makes a refusal in the new host known as one.
func (e *setupError) Unwrap() error {
	if strings.HasSuffix(e.text, unix.EPERM.Error()) {
		return unix.EPERM
	}
	return nil
}

// forwarded are the signals that reach the tests through the outer process
// and init. Those of a terminal reach the tests by themselves, too.
var forwarded = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
}

// passOn hands signals to a process until it has ended. A signal that is
// meant to end it does so after the grace at the latest.
func passOn(signals <-chan os.Signal, to *os.Process, ended <-chan struct{}) {
	var deadline <-chan time.Time
	for {
		select {
		case s := <-signals:
			_ = to.Signal(s) // it may have ended meanwhile
			if deadline == nil && s != unix.SIGUSR1 && s != unix.SIGUSR2 {
				deadline = time.After(grace)
			}
		case <-deadline:
			_ = to.Kill() // as above
		case <-ended:
			return
		}
	}
}

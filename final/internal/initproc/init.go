// Package initproc is what runs inside of a container until its command does: init.
// It is ordinary Go on one locked thread. It reads its operations from the runtime
// and performs them, in order; at one of them it waits for `start`, and the last one
// is execve(2).
//
//	status := initproc.Main(3)   // the socket to the runtime is file 3
//
// Whatever fails is told to the runtime, or to `start`, and init ends. When the other
// side of a socket is dead, so is init: a container that nobody knows never runs. See
// package plan for the operations.
package initproc

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"lab/final/internal/hook"
	"lab/final/internal/plan"
	"lab/final/internal/rootfs"
	"lab/final/internal/stage"
	"lab/final/internal/wire"

	"golang.org/x/sys/unix"
)

// died is the exit status of an init that never became a command.
const died = 125

// process is init.
type process struct {
	job     wire.Job
	socket  *os.File     // to the runtime, and then to start
	root    *rootfs.Root // fd:root
	program string       // path:program
}

// Main performs what the runtime sends, and returns only if that has failed.
func Main(socket int) int {
	// Nothing of ours shall be open in a hook or in the command.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return died
	}
	p := &process{socket: os.NewFile(uintptr(socket), "runtime")}
	if err := wire.Receive(p.socket, &p.job); err != nil {
		return died // the runtime gave up and has said why
	}
	stage.SetSlack(p.job.Slack)
	if p.job.Hide {
		// Until now there was nothing to find in us, and from here on nobody looks.
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return died
		}
	}
	err := p.run()
	if !errors.Is(err, wire.ErrDead) {
		// Who would read it may be gone; then there is nobody to tell.
		_ = wire.Send(p.socket, wire.Word{Error: err.Error()})
	}
	return died
}

// run performs all operations. The last one does not return if it succeeds.
func (p *process) run() error {
	ops, err := plan.Decode(p.job.Ops)
	if err != nil {
		return fmt.Errorf("read the operations: %w", err)
	}
	for _, op := range ops {
		err := p.do(op.Do)
		if op.Else != nil && errors.Is(err, errno(op.Else.Errno)) {
			err = nil
			if op.Else.Do != nil {
				op.Do = op.Else.Do
				err = p.do(op.Do)
			}
		}
		if err != nil {
			return &plan.Error{Op: op.Do.Words().Does, Err: err}
		}
	}
	return errors.New("there was no command")
}

// errno is the error for which an operation has an alternative.
func errno(name string) syscall.Errno {
	switch name {
	case "EPERM":
		return unix.EPERM
	case "ENOSYS":
		return unix.ENOSYS
	}
	return 0
}

// do performs one operation.
func (p *process) do(action plan.Action) error {
	for _, topic := range []func(plan.Action) (bool, error){
		p.life, p.mounts, p.devices, p.limits, p.rights,
	} {
		if mine, err := topic(action); mine {
			return err
		}
	}
	return fmt.Errorf("init cannot do %s", plan.Kind(action))
}

// life performs what concerns init as a process.
func (p *process) life(action plan.Action) (mine bool, err error) {
	switch op := action.(type) {
	case plan.NewSession:
		_, err = unix.Setsid()
	case plan.NewKeyring:
		_, err = unix.KeyctlJoinSessionKeyring(op.Name)
	case plan.UnshareCgroup:
		err = unix.Unshare(unix.CLONE_NEWCGROUP)
	case plan.Sethostname:
		err = unix.Sethostname([]byte(op.Name))
	case plan.Setdomainname:
		err = unix.Setdomainname([]byte(op.Name))
	case plan.Sysctl:
		err = os.WriteFile("/proc/sys/"+op.File(), []byte(op.Value), 0)
	case plan.Sync:
		err = p.sync(op.Point)
	case plan.AwaitStart:
		err = p.awaitStart()
	case plan.Hooks:
		err = p.hooks(op)
	default:
		return false, nil
	}
	return true, err
}

// hooks runs hooks in the container's namespaces.
func (p *process) hooks(op plan.Hooks) error {
	state := p.job.State
	if op.Name == "startContainer" {
		state.Status = "created"
	}
	return hook.Run(op.Name, op.Hooks, state)
}

// sync tells the runtime how far it is and waits for its word.
func (p *process) sync(point string) error {
	if err := wire.Send(p.socket, wire.Word{Point: point}); err != nil {
		return fmt.Errorf("%w: %w", wire.ErrDead, err)
	}
	var word wire.Word
	return wire.Receive(p.socket, &word)
}

// awaitStart waits until `start` connects and says go. From here on it is `start` that
// is told what fails.
func (p *process) awaitStart() error {
	_ = p.socket.Close() // create has ended, or is about to
	listener := p.job.Files["fd:start"]
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		p.socket = os.NewFile(uintptr(fd), "start")
		var word wire.Word
		return wire.Receive(p.socket, &word)
	}
}

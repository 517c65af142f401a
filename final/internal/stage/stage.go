//go:build linux

// Package stage starts a program inside namespaces that Go itself cannot enter, for a
// Go process has many threads: an existing user namespace, all namespaces of a process
// at once, a time namespace with offsets, a user namespace whose maps the setuid
// helpers write. An ordinary create needs none of this: for it Start leaves the work to
// Go's own fork and execve.
//
//	exe, err := stage.Self()
//	join, err := stage.Apart(initPID)
//	pid, err := stage.Start(&stage.Child{
//		Exe: exe, Args: []string{"minirun", "init"}, Files: []*os.File{in, out, err, config},
//		Target: pidfd, Join: join,
//	})
//
// Two processes are made, each a copy of this one (clone3(2) without CLONE_VM), so
// each has one thread. They run no Go code but the nosplit functions of raw.go: no
// memory is allocated, no lock taken, no signal handled.
//
//	first   writes itself into the cgroups of version 1,
//	        joins what there is: setns(2),
//	        becomes a copy of the program that nobody can write to: see image.go,
//	        makes a user and a time namespace: unshare(2),
//	        waits until this process has written maps and offsets, and becomes their root,
//	        gives its files the numbers that the program shall see, closes the others,
//	second  is cloned by it with the other new namespaces and with CLONE_PARENT, so that
//	        it is a child of this process, and executes the program: execveat(2).
//
// A pid or time namespace holds only processes that are born in it: hence the second.
// It is in the container's sight from its birth, so it is born without a file of ours
// and cannot be traced (PR_SET_DUMPABLE). If this process ends meanwhile, so does the
// first. See clone(2), setns(2), user_namespaces(7), time_namespaces(7).
package stage

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Child is a program to start, and where.
type Child struct {
	Exe   *os.File // see Self
	Args  []string
	Env   []string
	Files []*os.File // its 0, 1, 2 and so on; it has no others

	// Cgroup is the directory of a cgroup of version 2 to be born in, or nil. Tasks are
	// the files "tasks" of cgroups of version 1, open for writing.
	Cgroup *os.File
	Tasks  []*os.File

	// Target is a pidfd, Join the namespaces of its process to join: CLONE_NEW… flags,
	// as Apart returns them. The child is where the process is, by one call.
	Target *os.File
	Join   uintptr
	// Namespaces are others to join. One that we are in already is left out.
	Namespaces []Namespace

	// New are the CLONE_NEW… flags of the namespaces to make.
	New uintptr
	// UIDs and GIDs are the maps of a new user namespace, Offsets the clocks of a new
	// time namespace.
	UIDs, GIDs []specs.LinuxIDMapping
	// UID and GID are who the child is in a user namespace that it makes or joins. As
	// anybody but its root it has all capabilities as ambient ones.
	UID, GID uint32
	Offsets  map[string]specs.LinuxTimeOffset
}

// Namespace is one to join.
type Namespace struct {
	Kind uintptr // CLONE_NEWNET and so on
	File *os.File
}

// Start starts the program and returns its process, a child of this one, when
// execve(2) has succeeded. An error names the call that failed; there is no process
// then. From here on all files of this process above 2 may be close-on-exec: what its
// caller left open must not reach a container.
func Start(c *Child) (pid int, err error) {
	p, err := prepare(c)
	if err != nil {
		return 0, err
	}
	// Its threads are as quiet as ours, until it says otherwise.
	defer SetSlack(Slack())
	SetSlack(late)
	if p.isPlain() {
		pid, err := p.startPlain()
		return pid, errors.Join(err, p.closeAll())
	}
	first, errno := p.fork()
	err = p.closeCopies()
	if errno != 0 {
		failed := fmt.Errorf("clone the first stage: %w", errno)
		return 0, errors.Join(failed, err, p.runtime.Close())
	}
	talk := conversation{c: c, first: first, socket: p.runtime}
	err = errors.Join(err, talk.listen(), p.runtime.Close())
	return talk.end(err)
}

// conversation is what the two processes tell, and what is answered.
type conversation struct {
	c      *Child
	socket *os.File
	first  int // pid of the first process
	second int // pid of the second, once it is born
}

// listen reads what the processes say until neither has the socket any longer: the
// first ended and the second executed the program, or both ended.
func (t *conversation) listen() error {
	var failure error
	for {
		word, err := receive(t.socket)
		switch {
		case err != nil:
			return fmt.Errorf("listen to the first stage: %w", err)
		case word == nil:
			return failure
		case word.step == stepReady:
			if err := t.answer(); err != nil {
				return err
			}
		case word.step == stepBorn:
			t.second = int(word.value)
		default:
			failure = t.c.explain(word)
		}
	}
}

// answer writes maps and offsets of the waiting first process and lets it go on.
func (t *conversation) answer() error {
	if t.c.New&unix.CLONE_NEWUSER != 0 {
		if err := WriteMaps(t.first, t.c.UIDs, t.c.GIDs); err != nil {
			return err
		}
	}
	if len(t.c.Offsets) > 0 {
		if err := writeOffsets(t.first, t.c.Offsets); err != nil {
			return err
		}
	}
	if _, err := t.socket.Write([]byte{1}); err != nil {
		return fmt.Errorf("tell the first stage to go on: %w", err)
	}
	return nil
}

// end waits for the first process, and after a failure for the second, which cannot
// have become the program.
func (t *conversation) end(err error) (int, error) {
	status, waitErr := wait(t.first)
	if waitErr == nil && err == nil && t.second == 0 {
		err = fmt.Errorf("the first stage ended with %s", describe(status))
	}
	if err = errors.Join(err, waitErr); err == nil {
		return t.second, nil
	}
	if t.second != 0 {
		// It is our child and not reaped, so the number is nobody else's.
		_ = unix.Kill(t.second, unix.SIGKILL) // or it has ended by itself
		_, waitErr = wait(t.second)
		err = errors.Join(err, waitErr)
	}
	return 0, err
}

// wait waits for the end of a child.
func wait(pid int) (unix.WaitStatus, error) {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		if err == nil {
			return status, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return status, fmt.Errorf("wait for process %d: %w", pid, err)
		}
	}
}

// describe puts the end of a process into words.
func describe(status unix.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("status %d", status.ExitStatus())
}

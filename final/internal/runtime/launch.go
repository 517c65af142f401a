package runtime

import (
	"errors"
	"fmt"
	"os"

	"lab/final/internal/cgroup"
	"lab/final/internal/plan"
	"lab/final/internal/spec"
	"lab/final/internal/stage"
	"lab/final/internal/wire"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// IO is what a caller hands to a process besides its configuration.
type IO struct {
	ConsoleSocket string   // path of the socket to which the terminal is sent
	Console       *os.File // or such a socket, connected
	PIDFile       string
	PidfdSocket   string // path of the socket to which the process is sent, as a file
}

// launch is a process on its way into a container: the first one, or a later one.
type launch struct {
	request *spec.Container
	host    plan.Host
	io      IO
	ops     []plan.Op // for the process itself
	hide    bool      // there are others in the container

	child  stage.Child
	files  map[string]*os.File // slots
	group  *cgroup.Cgroup      // where it is born, or nil
	birth  *cgroup.Birth
	socket *os.File // to the process
	pid    int

	born  func(pid int) (specs.State, error) // it is there, and knows nothing yet
	ready func() error                       // it has done all but execve(2)
}

// newLaunch is a launch before anything is done.
func newLaunch(request *spec.Container, host plan.Host, streams IO, p plan.Plan) launch {
	return launch{
		request: request, host: host, io: streams, files: map[string]*os.File{},
		ops: plan.Of(plan.Init, p.All()),
	}
}

// do performs one operation: one of the caller's, or one that each process needs. What
// init says was its error names the operation already; ours are named here.
func (l *launch) do(action plan.Action, more func(plan.Action) (bool, error)) error {
	if s, ok := action.(plan.Sync); ok {
		return l.sync(s.Point)
	}
	mine, err := more(action)
	if !mine {
		err = l.perform(action)
	}
	if err != nil {
		return &plan.Error{Op: action.Words().Does, Err: err}
	}
	return nil
}

// perform performs one of the operations that each process needs.
func (l *launch) perform(action plan.Action) (err error) {
	switch op := action.(type) {
	case plan.OpenBinary:
		l.child.Exe, err = stage.Self()
	case plan.DialConsole:
		l.files["fd:console"], err = l.dialConsole()
	case plan.DialListener:
		l.files["fd:listener"], err = dial(op.Path)
	case plan.OpenTree:
		l.files[op.Tree], err = openTree(op)
	case plan.Join:
		err = l.join(op)
	case plan.Clone:
		err = l.clone(op)
	case plan.Require:
		err = require(op)
	case plan.Affinity:
		err = affinity(op)
	case plan.WriteMaps:
		// The clone that was waited for has done it.
	case plan.OOMScore:
		err = oomScore(l.pid, op.Value)
	default:
		err = fmt.Errorf("the runtime cannot do %s", plan.Kind(action))
	}
	return err
}

// join notes a namespace that the process is to be in.
func (l *launch) join(op plan.Join) error {
	file, err := os.Open(op.Path)
	if err != nil {
		return err
	}
	l.files["fd:"+string(op.Type)] = file
	l.child.Namespaces = append(l.child.Namespaces, stage.Namespace{
		Kind: plan.CloneFlag(op.Type), File: file,
	})
	return nil
}

// clone makes the process and sends it its operations.
func (l *launch) clone(op plan.Clone) error {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	l.socket = os.NewFile(uintptr(ends[0]), "init")
	theirs := os.NewFile(uintptr(ends[1]), "runtime")
	for _, kind := range op.Namespaces {
		l.child.New |= plan.CloneFlag(kind)
	}
	l.child.UIDs, l.child.GIDs, l.child.Offsets = op.UIDs, op.GIDs, op.Offsets
	l.child.UID, l.child.GID = op.UID, op.GID
	if l.birth != nil {
		l.child.Cgroup = l.birth.Dir()
	}
	job := l.hand(theirs)
	l.pid, err = stage.Start(&l.child)
	if errors.Is(err, unix.EAGAIN) {
		err = fmt.Errorf("%w%s", err, l.starved())
	}
	if err = errors.Join(err, theirs.Close()); err != nil {
		return err
	}
	if job.State, err = l.born(l.pid); err != nil {
		return err
	}
	if job.Ops, err = plan.Encode(l.ops); err != nil {
		return err
	}
	if err := wire.Send(l.socket, job); err != nil {
		return fmt.Errorf("init: %w%s", err, l.obituary())
	}
	return nil
}

// hand gives the process its files: standard streams, those it keeps, and ours.
func (l *launch) hand(socket *os.File) wire.Job {
	l.child.Files = []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for i := range l.request.PreserveFDs {
		l.child.Files = append(l.child.Files, os.NewFile(uintptr(3+i), "preserved"))
	}
	number := len(l.child.Files)
	l.child.Args = []string{"minirun", "init", fmt.Sprint(number)}
	// Init does one thing at a time: four threads are enough, which a limit of pids counts.
	l.child.Env = []string{"GOMAXPROCS=1"}
	l.child.Files = append(l.child.Files, socket)
	job := wire.Job{Files: map[string]int{}, Hide: l.hide, Slack: stage.Slack()}
	slots := []string{"fd:start", "fd:console", "fd:listener", plan.RootTree}
	for i := range l.request.Config.Mounts {
		slots = append(slots, plan.TreeSlot(i))
	}
	for _, slot := range slots {
		if file := l.files[slot]; file != nil {
			job.Files[slot] = len(l.child.Files)
			l.child.Files = append(l.child.Files, file)
		}
	}
	return job
}

// sync waits until the process is at a point, and lets it go on.
func (l *launch) sync(point string) error {
	var word wire.Word
	if err := wire.Receive(l.socket, &word); err != nil {
		if errors.Is(err, wire.ErrDead) {
			err = fmt.Errorf("%w%s", err, l.obituary())
		}
		return fmt.Errorf("init: %w", err)
	}
	switch {
	case word.Error != "":
		return errors.New(word.Error)
	case word.Point != point:
		return fmt.Errorf("init is at %q and not at %q", word.Point, point)
	}
	if point == plan.Created {
		if err := l.ready(); err != nil {
			return err
		}
	}
	return wire.Send(l.socket, wire.Word{Point: point})
}

// obituary says how a process died, and of which limit, where that can be known. It has
// closed its end of the socket, so it is about to end; then the number is nobody's.
func (l *launch) obituary() string {
	var status unix.WaitStatus
	pid, err := unix.Wait4(l.pid, &status, 0, nil)
	for errors.Is(err, unix.EINTR) {
		pid, err = unix.Wait4(l.pid, &status, 0, nil)
	}
	if err != nil || pid != l.pid {
		return ""
	}
	l.pid = 0
	if status.Signaled() {
		return fmt.Sprintf(": killed by %s%s", status.Signal(), l.starved())
	}
	return fmt.Sprintf(": status %d%s", status.ExitStatus(), l.starved())
}

// starved says which limit of its cgroup a process has met, if any.
func (l *launch) starved() string {
	if l.group != nil {
		if why := l.group.Starved(); why != "" {
			return ": " + why
		}
	}
	return ""
}

// introduce tells an engine which process it is: by its number in a file, and by the
// process itself, which no other one can be taken for (pidfd_open(2)).
func (l *launch) introduce() error {
	if l.io.PidfdSocket != "" {
		if err := l.sendPidfd(); err != nil {
			return fmt.Errorf("send the process to %s: %w", l.io.PidfdSocket, err)
		}
	}
	if l.io.PIDFile == "" {
		return nil
	}
	return write(l.io.PIDFile, fmt.Append(nil, l.pid), 0o644)
}

// sendPidfd sends the process as an open file.
func (l *launch) sendPidfd() error {
	socket, err := dial(l.io.PidfdSocket)
	if err != nil {
		return err
	}
	pidfd, err := unix.PidfdOpen(l.pid, 0)
	if err != nil {
		return errors.Join(fmt.Errorf("pidfd_open %d: %w", l.pid, err), socket.Close())
	}
	err = unix.Sendmsg(int(socket.Fd()), []byte("pidfd"), unix.UnixRights(pidfd), nil, 0)
	return errors.Join(err, unix.Close(pidfd), socket.Close())
}

// close closes what is ours no longer.
func (l *launch) close() {
	for _, file := range l.files {
		_ = file.Close() // the process has its own
	}
	if l.birth != nil {
		_ = l.birth.Close() // the process is in the cgroup
	}
	if l.child.Exe != nil {
		_ = l.child.Exe.Close() // the process is executed
	}
	if l.socket != nil {
		_ = l.socket.Close() // what had to be said was said
	}
}

package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lab/final/internal/kernel"
	"lab/final/internal/plan"
	"lab/final/internal/spec"
	"lab/final/internal/stage"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Exec is a process to add to a running container.
type Exec struct {
	Container    *spec.Container // what Request returns
	Process      *specs.Process
	IO           IO
	PreserveFDs  int
	IgnorePaused bool
	Sub          string // a cgroup below the container's own: "/name"
}

// joining is a process on its way into a container that runs.
type joining struct {
	launch
	record *record
	sub    string
	target *os.File // init, as a pidfd
}

// Exec adds a process to a running container and returns its number. It is a child of
// ours.
func (r *Runtime) Exec(id string, e Exec) (pid int, err error) {
	record, err := r.running(id, e.IgnorePaused)
	if err != nil {
		return 0, err
	}
	request := e.Container
	request.PreserveFDs = e.PreserveFDs
	host, err := readRights()
	if err != nil {
		return 0, err
	}
	p, err := plan.CompileExec(request, e.Process, record.Init.PID, host)
	if err != nil {
		return 0, err
	}
	r.tell(p)
	j := &joining{launch: newLaunch(request, host, e.IO, p), record: record, sub: e.Sub}
	j.hide = true
	j.born = func(int) (specs.State, error) { return record.oci(specs.StateRunning), nil }
	j.ready = j.introduce
	defer j.close()
	if err := j.make(p); err != nil {
		return 0, errors.Join(err, j.undo())
	}
	return j.pid, nil
}

// running returns the record of a container that runs.
func (r *Runtime) running(id string, ignorePaused bool) (*record, error) {
	c, err := r.load(id)
	if err != nil {
		return nil, err
	}
	switch status := r.status(c); {
	case status == specs.StateStopped || status == specs.StateCreating:
		return nil, fmt.Errorf("container %q: %w", id, ErrNotRunning)
	case status == paused && !ignorePaused:
		return nil, fmt.Errorf("container %q is paused: resume it first", id)
	}
	return c, nil
}

// Request reads what a container was made from.
func (r *Runtime) Request(id string) (*spec.Container, error) {
	if err := spec.CheckID(id); err != nil {
		return nil, err
	}
	text, err := kernel.Read(filepath.Join(r.dir(id), spec.File))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("container %q: %w", id, err)
	}
	c := &spec.Container{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("container %q: %s: %w", id, spec.File, err)
	}
	c.Config, err = spec.Parse(c.Text)
	return c, err
}

// Config is the configuration that a container was made from.
func (r *Runtime) Config(id string) (*specs.Spec, error) {
	c, err := r.Request(id)
	if err != nil {
		return nil, err
	}
	return c.Config, nil
}

// make performs the runtime's operations, and waits for the process's execve(2).
func (j *joining) make(p plan.Plan) error {
	for _, op := range plan.Of(plan.Runtime, p.Create) {
		if err := j.do(op.Do, j.perform); err != nil {
			return err
		}
	}
	return awaitExec(j.socket)
}

// perform performs one of the operations that only a later process needs.
func (j *joining) perform(action plan.Action) (mine bool, err error) {
	switch op := action.(type) {
	case plan.JoinInit:
		err = j.joinCgroup(op.PID)
	case plan.Enter:
		if j.target, err = stage.Pidfd(op.PID); err != nil {
			return true, err
		}
		j.files["fd:init"], j.child.Target = j.target, j.target
		// The number is init's still: it is the open process that is joined.
		if !j.record.Init.alive() {
			return true, ErrNotRunning
		}
		j.child.Join, err = stage.Apart(op.PID)
	default:
		return false, nil
	}
	return true, err
}

// joinCgroup opens the cgroup for the process to be born in.
func (j *joining) joinCgroup(pid int) error {
	group := j.record.Cgroup
	if group == nil {
		if j.sub != "" {
			return errors.New("the container has no cgroup of its own")
		}
		return nil
	}
	var err error
	if j.sub != "" {
		group, err = group.Sub(j.sub)
	} else {
		group, err = group.Beside(pid)
	}
	if err != nil {
		return err
	}
	j.group = group
	if j.birth, err = group.Birth(); err == nil {
		j.child.Tasks = j.birth.Tasks()
	}
	return err
}

// undo ends the process, if there is one.
func (j *joining) undo() error {
	if j.pid <= 1 {
		return nil
	}
	// It is our child and not reaped, so the number is nobody else's.
	_ = unix.Kill(j.pid, unix.SIGKILL)    // it may have ended
	_, _ = unix.Wait4(j.pid, nil, 0, nil) // it may be reaped
	return remove(j.io.PIDFile)
}

package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lab/final/internal/cgroup"
	"lab/final/internal/hook"
	"lab/final/internal/plan"
	"lab/final/internal/spec"
	"lab/final/internal/stage"
	"lab/final/internal/wire"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// IO is what a caller hands to a container besides its configuration.
type IO struct {
	ConsoleSocket string   // path of the socket to which the terminal is sent
	Console       *os.File // or such a socket, connected
	PIDFile       string
}

// creation is a container in the making.
type creation struct {
	rt      *Runtime
	request *spec.Container
	host    plan.Host
	plan    plan.Plan
	io      IO
	record  *record
	child   stage.Child
	files   map[string]*os.File // slots
	birth   *cgroup.Birth
	socket  *os.File // to init
}

// Create makes a container up to the moment at which its command would be executed.
// Init waits there. If anything fails, nothing is left.
func (r *Runtime) Create(request *spec.Container, streams IO) (pid int, err error) {
	host, err := ReadHost()
	if err != nil {
		return 0, err
	}
	p, err := plan.Compile(request, host)
	if err != nil {
		return 0, err
	}
	lock, err := r.claim(request.ID)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	c := &creation{
		rt: r, request: request, host: host, plan: p, io: streams,
		record: newRecord(request), files: map[string]*os.File{},
	}
	defer c.close()
	if err := c.make(); err != nil {
		return 0, errors.Join(err, c.undo())
	}
	return c.record.Init.PID, nil
}

// newRecord is what is known of a container before it is made.
func newRecord(request *spec.Container) *record {
	config := request.Config
	root := config.Root.Path
	if !filepath.IsAbs(root) {
		root = filepath.Join(request.Bundle, root)
	}
	c := &record{
		Version: config.Version, ID: request.ID, Bundle: request.Bundle, Rootfs: root,
		Created: time.Now().UTC(), Owner: os.Geteuid(), Annotations: config.Annotations,
	}
	if h := config.Hooks; h != nil {
		c.Hooks = specs.Hooks{Poststart: h.Poststart, Poststop: h.Poststop}
	}
	return c
}

// make performs the runtime's operations.
func (c *creation) make() error {
	if err := c.rt.save(c.record); err != nil {
		return err
	}
	text, err := json.Marshal(c.request.Config)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(c.rt.dir(c.record.ID), spec.File), text, 0o600); err != nil {
		return err
	}
	for _, op := range plan.Of(plan.Runtime, c.plan.Create) {
		if err := c.do(op.Do); err != nil {
			return err
		}
	}
	if c.io.PIDFile != "" {
		return write(c.io.PIDFile, fmt.Append(nil, c.record.Init.PID), 0o644)
	}
	return nil
}

// do performs one operation. What init says was its error is that already; ours are
// named here.
func (c *creation) do(action plan.Action) error {
	if s, ok := action.(plan.Sync); ok {
		return c.sync(s.Point)
	}
	err := c.perform(action)
	if err != nil {
		return &plan.Error{Op: action.Words().Does, Err: err}
	}
	return nil
}

// perform performs one operation.
func (c *creation) perform(action plan.Action) (err error) {
	switch op := action.(type) {
	case plan.MakeCgroup:
		return c.makeCgroup(op)
	case plan.WriteLimit:
		return c.record.Cgroup.Write(op.Write)
	case plan.OpenBinary:
		c.child.Exe, err = stage.Self()
	case plan.Listen:
		c.files["fd:start"], err = listen(c.rt.dir(c.record.ID))
	case plan.DialConsole:
		c.files["fd:console"], err = c.dialConsole()
	case plan.DialListener:
		c.files["fd:listener"], err = dial(op.Path)
	case plan.JoinCgroup:
		c.child.Tasks = c.birth.Tasks()
	case plan.Join:
		return c.join(op)
	case plan.Clone:
		return c.clone(op)
	case plan.WriteMaps:
		// The clone that is waited for has done it.
	case plan.OOMScore:
		path := fmt.Sprintf("/proc/%d/oom_score_adj", c.record.Init.PID)
		return os.WriteFile(path, fmt.Append(nil, op.Value), 0)
	case plan.Hooks:
		return hook.Run(op.Name, op.Hooks, c.record.oci(specs.StateCreating))
	default:
		return fmt.Errorf("the runtime cannot do %s", plan.Kind(action))
	}
	return err
}

// makeCgroup makes the cgroup, after a note of where it will be.
func (c *creation) makeCgroup(op plan.MakeCgroup) error {
	places, err := c.host.Cgroups.Places(op.Request)
	if err != nil {
		return err
	}
	c.record.Cgroup = &cgroup.Cgroup{Path: op.Request.Path, Places: intended(places)}
	if err := c.rt.save(c.record); err != nil {
		return err
	}
	made, err := cgroup.Make(c.host.Cgroups, op.Request)
	if err != nil {
		c.record.Cgroup = nil // it has undone itself
		return err
	}
	c.record.Cgroup = made
	c.birth, err = made.Birth()
	return err
}

// intended are the directories that are about to be made, so that they are removed
// even if we are killed before we can tell which they were.
func intended(places []cgroup.Place) []cgroup.Place {
	for i := range places {
		p := &places[i]
		for dir := p.Dir; dir != p.Mount && dir != "/"; dir = filepath.Dir(dir) {
			if _, err := os.Lstat(dir); err == nil {
				break
			}
			p.Made = append([]string{dir}, p.Made...)
		}
	}
	return places
}

// join notes a namespace that init is to be in.
func (c *creation) join(op plan.Join) error {
	file, err := os.Open(op.Path)
	if err != nil {
		return err
	}
	c.files["fd:"+string(op.Type)] = file
	c.child.Namespaces = append(c.child.Namespaces, stage.Namespace{
		Kind: plan.CloneFlag(op.Type), File: file,
	})
	return nil
}

// clone makes init and sends it its operations.
func (c *creation) clone(op plan.Clone) error {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	c.socket = os.NewFile(uintptr(ends[0]), "init")
	theirs := os.NewFile(uintptr(ends[1]), "runtime")
	defer theirs.Close()
	for _, kind := range op.Namespaces {
		c.child.New |= plan.CloneFlag(kind)
	}
	c.child.UIDs, c.child.GIDs, c.child.Offsets = op.UIDs, op.GIDs, op.Offsets
	if op.IntoCgroup {
		c.child.Cgroup = c.birth.Dir()
	}
	job := c.hand(theirs)
	pid, err := stage.Start(&c.child)
	if err != nil {
		return err
	}
	if c.record.Init, err = identify(pid); err != nil {
		return err
	}
	if err := c.rt.save(c.record); err != nil {
		return err
	}
	return c.send(job)
}

// hand gives init its files: standard streams, those the container keeps, ours.
func (c *creation) hand(socket *os.File) wire.Job {
	c.child.Files = []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for i := range c.request.PreserveFDs {
		c.child.Files = append(c.child.Files, os.NewFile(uintptr(3+i), "preserved"))
	}
	number := len(c.child.Files)
	c.child.Args = []string{"minirun", "init", fmt.Sprint(number)}
	c.child.Files = append(c.child.Files, socket)
	job := wire.Job{Files: map[string]int{}, Keep: c.request.PreserveFDs}
	for _, slot := range []string{"fd:start", "fd:console", "fd:listener"} {
		if file := c.files[slot]; file != nil {
			job.Files[slot] = len(c.child.Files)
			c.child.Files = append(c.child.Files, file)
		}
	}
	return job
}

// send sends init its operations.
func (c *creation) send(job wire.Job) (err error) {
	job.State = c.record.oci(specs.StateCreating)
	job.Ops, err = json.Marshal(plan.Of(plan.Init, c.plan.All()))
	if err != nil {
		return err
	}
	return wire.Send(c.socket, job)
}

// sync waits until init is at a point, and lets it go on. At the last one the container
// is created, which is written down first: init does not wait for start unless it can
// be found.
func (c *creation) sync(point string) error {
	var word wire.Word
	if err := wire.Receive(c.socket, &word); err != nil {
		return fmt.Errorf("init: %w%s", err, c.obituary())
	}
	switch {
	case word.Error != "":
		return errors.New(word.Error)
	case word.Point != point:
		return fmt.Errorf("init is at %q and not at %q", word.Point, point)
	}
	if point == plan.Created {
		c.record.Ready = true
		if err := c.rt.save(c.record); err != nil {
			return err
		}
	}
	return wire.Send(c.socket, wire.Word{Point: point})
}

// obituary says how init died, where that can be known.
func (c *creation) obituary() string {
	var status unix.WaitStatus
	pid, err := unix.Wait4(c.record.Init.PID, &status, 0, nil)
	if err != nil || pid != c.record.Init.PID {
		return ""
	}
	c.record.Init = process{}
	if status.Signaled() {
		return fmt.Sprintf(": killed by %s; too little memory, or too few pids?", status.Signal())
	}
	return fmt.Sprintf(": status %d", status.ExitStatus())
}

// close closes what is ours no longer.
func (c *creation) close() {
	for _, file := range c.files {
		_ = file.Close() // init has its own
	}
	if c.birth != nil {
		_ = c.birth.Close() // init is in the cgroup
	}
	if c.child.Exe != nil {
		_ = c.child.Exe.Close() // init is executed
	}
	if c.socket != nil {
		_ = c.socket.Close() // init waits for start
	}
}

// undo takes back what was made.
func (c *creation) undo() error {
	err := c.record.Init.end()
	if c.record.Init.PID > 1 {
		// It is our child: nobody else would reap it.
		_, _ = unix.Wait4(c.record.Init.PID, nil, 0, nil) // it may be reaped already
	}
	err = errors.Join(err, c.rt.sweep(c.record))
	if c.record.Init.PID > 0 {
		// What they say is of no interest any longer: there is no container.
		_ = hook.Run("poststop", c.record.Hooks.Poststop, c.record.oci(specs.StateStopped))
	}
	return errors.Join(err, os.RemoveAll(c.rt.dir(c.record.ID)))
}

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

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// creation is a container in the making.
type creation struct {
	launch
	rt     *Runtime
	plan   plan.Plan
	record *record
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
	r.tell(p)
	lock, err := r.claim(request.ID)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	c := &creation{rt: r, plan: p, record: newRecord(request)}
	c.launch = newLaunch(request, host, streams, p)
	c.born, c.ready = c.onBirth, c.onReady
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
	text, err := json.Marshal(c.request)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(c.rt.dir(c.record.ID), spec.File), text, 0o600); err != nil {
		return err
	}
	for _, op := range plan.Of(plan.Runtime, c.plan.Create) {
		if err := c.do(op.Do, c.perform); err != nil {
			return err
		}
	}
	return c.introduce()
}

// perform performs one of the operations that only a new container needs.
func (c *creation) perform(action plan.Action) (mine bool, err error) {
	switch op := action.(type) {
	case plan.MakeCgroup:
		err = c.makeCgroup(op)
	case plan.StartScope:
		err = c.startScope(op)
	case plan.WriteLimit:
		err = c.record.Cgroup.Write(op.Write)
	case plan.FilterDevices:
		err = c.record.Cgroup.Filter(op.Rules)
	case plan.OwnCgroup:
		err = c.record.Cgroup.Own(int(op.UID))
	case plan.JoinCgroup:
		c.child.Tasks = c.birth.Tasks()
	case plan.Listen:
		c.files["fd:start"], err = listen(c.rt.dir(c.record.ID))
	case plan.Hooks:
		err = hook.Run(op.Name, op.Hooks, c.record.oci(specs.StateCreating))
	default:
		return false, nil
	}
	return true, err
}

// makeCgroup makes the cgroup, after a note of where it will be.
func (c *creation) makeCgroup(op plan.MakeCgroup) error {
	op.Request.Mark = fmt.Sprint(os.Getpid(), " ", c.record.Created.UnixNano())
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
	c.record.Cgroup, c.group = made, made
	c.birth, err = made.Birth()
	return err
}

// startScope has systemd make the cgroup. If we are killed before that is noted it goes
// with init.
func (c *creation) startScope(op plan.StartScope) error {
	made, err := cgroup.StartScope(c.host.Cgroups, op.Scope, c.pid, op.Request, op.Limits)
	if err != nil {
		return err
	}
	c.record.Cgroup, c.group = made, made
	if err := c.rt.save(c.record); err != nil {
		return err
	}
	if err := made.Adopt(c.pid, op.Request.Needed); err != nil {
		return err
	}
	return c.rt.save(c.record)
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

// onBirth notes who init is, before init is told anything: if we are killed, it can be
// found, and without its operations it ends.
func (c *creation) onBirth(pid int) (state specs.State, err error) {
	if c.record.Init, err = identify(pid); err != nil {
		return state, err
	}
	return c.record.oci(specs.StateCreating), c.rt.save(c.record)
}

// onReady notes that init waits for start. It does not before that is written down.
func (c *creation) onReady() error {
	c.record.Ready = true
	return c.rt.save(c.record)
}

// undo takes back what was made.
func (c *creation) undo() error {
	err := c.rt.sweep(c.record)
	if c.record.Init.PID > 1 && err == nil {
		// It is our child: nobody else would reap it.
		_, _ = unix.Wait4(c.record.Init.PID, nil, 0, nil) // it may be reaped already
	}
	if c.record.Init.PID > 0 {
		// What they say is of no interest any longer: there is no container.
		_ = hook.RunAll("poststop", c.record.Hooks.Poststop, c.record.oci(specs.StateStopped))
	}
	return errors.Join(err, os.RemoveAll(c.rt.dir(c.record.ID)))
}

package runtime

import (
	"errors"
	"fmt"
	"slices"

	"lab/final/internal/cgroup"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// signalAll sends a signal to every process of the container.
func (r *Runtime) signalAll(c *record, signal unix.Signal) error {
	if c.Cgroup == nil {
		// Without a cgroup, the end of PID 1 is the end of all in its namespace.
		return c.Init.signal(signal)
	}
	return c.Cgroup.Signal(signal)
}

// sweep ends all processes of a container, the frozen ones, too, and removes its cgroup.
func (r *Runtime) sweep(c *record) error {
	if c.Cgroup == nil {
		return c.Init.end()
	}
	if err := c.Cgroup.Kill(); err != nil {
		return err
	}
	if err := c.Init.end(); err != nil {
		return err
	}
	return c.Cgroup.Remove()
}

// frozen reports whether a container is paused.
func (r *Runtime) frozen(c *record) bool {
	if c.Cgroup == nil {
		return false
	}
	frozen, err := c.Cgroup.Frozen()
	return err == nil && frozen
}

// group returns the cgroup of a container that runs, for what cannot be done without.
func (r *Runtime) group(id, wish string) (*record, error) {
	c, err := r.running(id, true)
	if err != nil {
		return nil, err
	}
	if c.Cgroup == nil {
		return nil, fmt.Errorf("container %q has no cgroup, and %s takes one: "+
			"give it a .linux.cgroupsPath", id, wish)
	}
	return c, nil
}

// Pause stops all processes of a container.
func (r *Runtime) Pause(id string) error {
	c, err := r.group(id, "pause")
	if err != nil {
		return err
	}
	if status := r.status(c); status == paused {
		return fmt.Errorf("container %q is paused already", id)
	}
	return c.Cgroup.Freeze()
}

// Resume lets them go on.
func (r *Runtime) Resume(id string) error {
	c, err := r.group(id, "resume")
	if err != nil {
		return err
	}
	if status := r.status(c); status != paused {
		return fmt.Errorf("container %q is %s, not paused", id, status)
	}
	return c.Cgroup.Thaw()
}

// Procs lists the processes of a container.
func (r *Runtime) Procs(id string) ([]int, error) {
	c, err := r.group(id, "ps")
	if err != nil {
		return nil, err
	}
	pids, err := c.Cgroup.Procs(true)
	slices.Sort(pids)
	return pids, err
}

// Stats reads what a container uses.
func (r *Runtime) Stats(id string) (cgroup.Stats, error) {
	c, err := r.group(id, "events")
	if err != nil {
		return cgroup.Stats{}, err
	}
	return c.Cgroup.Stats()
}

// WatchOOM begins to watch for a container running out of memory.
func (r *Runtime) WatchOOM(id string) (*cgroup.OOM, error) {
	c, err := r.group(id, "events")
	if err != nil {
		return nil, err
	}
	return c.Cgroup.WatchOOM()
}

// Update changes the limits of a container: those that are named, the others stay. If
// one is refused, those that were changed before it are taken back.
func (r *Runtime) Update(id string, changes *specs.LinuxResources) error {
	lock, err := r.lockPatiently(id)
	if err != nil {
		return err
	}
	defer lock.Close()
	c, err := r.group(id, "update")
	if err != nil {
		return err
	}
	old, err := r.resources(c)
	if err != nil {
		return err
	}
	merged, err := cgroup.Merge(old, changes)
	if err != nil {
		return err
	}
	devices := changes.Devices != nil
	if err := r.limit(c, merged, devices); err != nil {
		return errors.Join(err, r.limit(c, old, devices))
	}
	c.Resources = merged
	return r.save(c)
}

// resources are the limits that a container has.
func (r *Runtime) resources(c *record) (*specs.LinuxResources, error) {
	if c.Resources != nil {
		return c.Resources, nil
	}
	config, err := r.Config(c.ID)
	if err != nil {
		return nil, err
	}
	return config.Linux.Resources, nil
}

// limit writes limits to the cgroup of a container that runs. What devices it may use is
// left alone if nothing is said of them: on version 1 there are none for a moment.
func (r *Runtime) limit(c *record, resources *specs.LinuxResources, devices bool) error {
	host, err := cgroup.ReadHost()
	if err != nil || resources == nil {
		return err
	}
	wanted := *resources
	if !devices {
		wanted.Devices = nil
	}
	limits, err := cgroup.Compile(&wanted, host)
	if err != nil {
		return err
	}
	if err := r.join(c, host, limits.Needed); err != nil {
		return err
	}
	if err := c.Cgroup.Update(limits.Writes); err != nil || len(limits.Devices) == 0 {
		return err
	}
	return c.Cgroup.Filter(limits.Devices)
}

// join has a container join the controllers that it was made without, after a note of
// where that will be.
func (r *Runtime) join(c *record, host cgroup.Host, needed []string) error {
	places, err := c.Cgroup.Missing(host, needed)
	if err != nil || len(places) == 0 {
		return err
	}
	noted := *c
	group := *c.Cgroup
	group.Places = append(slices.Clone(group.Places), intended(places)...)
	noted.Cgroup = &group
	if err := r.save(&noted); err != nil {
		return err
	}
	if err := c.Cgroup.Join(places); err != nil {
		return err // the note stays, by which delete finds what there is
	}
	return r.save(c)
}

//go:build linux

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// Finding is something that is not as it should be: what a command has left that was
// killed, or what a power cut has destroyed.
type Finding struct {
	What   string
	Mended bool
	Err    error // why it could not be mended, if that was tried
}

// Check looks through all that the engine keeps, and mends what it finds if that is
// wanted. It waits until nobody makes or pulls anything, and others wait for it.
func (e *Engine) Check(mend bool) ([]Finding, error) {
	store, err := e.Images()
	if err != nil {
		return nil, err
	}
	release, err := store.Alone()
	if err != nil {
		return nil, err
	}
	defer release()
	x := &examination{Engine: e, mend: mend}
	err = errors.Join(x.cgroups(), x.mounts(), x.volumes(), x.containers(), x.names(), x.runs(),
		x.networks(), x.monitors())
	if err != nil {
		return x.found, err
	}
	problems, err := store.Check()
	for _, p := range problems {
		x.tell(p.What, p.Mend)
	}
	return x.found, err
}

// examination is one call of Check.
type examination struct {
	*Engine
	mend  bool
	found []Finding
	idle  map[string]bool // IDs with a cgroup in which there is no process
}

// tell notes what was found, and mends it if that is wanted and can be done.
func (x *examination) tell(what string, mend func() error) {
	f := Finding{What: what}
	if x.mend && mend != nil {
		f.Err = mend()
		f.Mended = f.Err == nil
	}
	x.found = append(x.found, f)
}

// containers looks at what is among the containers. Nobody makes one meanwhile.
func (x *examination) containers() error {
	entries, err := os.ReadDir(x.path("containers"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := x.container(entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

// container looks at one with which nobody is at work, and keeps its lock.
func (x *examination) container(id string) error {
	lock, err := x.flock(id, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil // somebody is at work on it
	}
	if errors.Is(err, ErrNotFound) {
		if !x.exists(id) {
			return nil // it was removed meanwhile
		}
		x.tell("container "+short(id)+" was never finished, or not removed wholly",
			func() error { return x.erase(&Container{ID: id}) })
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	c, err := x.read(id)
	switch {
	case errors.Is(err, ErrDamaged):
		x.tell(err.Error(), func() error { return x.erase(&Container{ID: id}) })
	case errors.Is(err, fs.ErrNotExist):
		x.tell(err.Error(), func() error {
			state := monitor.State{Status: monitor.Gone, ExitCode: lost, Error: err.Error()}
			return writeJSON(x.statePath(id), state)
		})
	case err != nil:
		return err
	case c.isLost() && !c.isUp():
		x.tell(fmt.Sprintf("container %s (%s) was to be started by a command that is gone",
			short(id), c.Name), func() error { return ignore(x.Engine.mend(c), ErrNotFound) })
	case c.isLost():
		x.tell(fmt.Sprintf("container %s (%s) was running, and its monitor is gone", short(id),
			c.Name), func() error { return ignore(x.Engine.mend(c), ErrNotFound) })
	case !c.isUp() && !c.State.Monitor.Alive() && (isThere(x.stateDir(id)) || x.idle[id]):
		x.tell(fmt.Sprintf("container %s (%s) has something left of a start that was interrupted",
			short(id), c.Name), func() error { return errors.Join(x.sweep(c), x.dropCgroup(id)) })
	}
	return nil
}

// ignore makes an error none that is as it should be.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// isThere reports whether a file is there.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// names looks for names of containers that are gone, and containers without their name.
func (x *examination) names() error {
	entries, err := os.ReadDir(x.path("names"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		id, err := os.Readlink(x.path("names", name))
		if err == nil && !x.holds(name, id) {
			x.tell(fmt.Sprintf("the name %q is that of %s, which has it no longer", name,
				short(id)), func() error { return x.dropName(name, id) })
		}
	}
	all, err := x.list(x.read)
	if err != nil {
		return err
	}
	for _, c := range all {
		if id, err := os.Readlink(x.path("names", c.Name)); err != nil || id != c.ID {
			x.tell(fmt.Sprintf("container %s has lost its name %q", short(c.ID), c.Name),
				func() error { return x.claimName(c.Name, c.ID) })
		}
	}
	return nil
}

// runs looks for what is left of runs of containers that are no more, in our directory and
// in those of the runtimes.
//
//	STATE/ID/  STATE/minirun/ID/
func (x *examination) runs() error {
	var paths []string
	for _, pattern := range []string{"*", "*/*"} {
		found, err := filepath.Glob(filepath.Join(x.State, pattern))
		if err != nil {
			return err
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		id := filepath.Base(path)
		switch {
		case strings.HasSuffix(id, goneSuffix):
			x.tell(path+" was not removed wholly", func() error { return os.RemoveAll(path) })
		case len(id) == idLength && isThere(path):
			if err := x.run(path, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// run looks at a directory of one, unless somebody is at work on the container.
func (x *examination) run(path, id string) error {
	lock, err := x.flock(id, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err == nil {
		defer lock.Close()
	}
	c, err := x.read(id)
	switch {
	case err == nil && (c.isUp() || c.State.Monitor.Alive()):
		return nil // it is at work, or about to end
	case filepath.Dir(path) == x.State && x.exists(id), err != nil && x.exists(id):
		return nil // it was told of already
	case err != nil:
		c = &Container{ID: id, RuntimePath: x.Runtime}
	}
	if filepath.Dir(path) != x.State {
		c.RuntimePath = filepath.Base(filepath.Dir(path))
	}
	x.tell(path+" is of no container that runs", func() error {
		var err error
		if c.RuntimePath, err = runtimePath(c.RuntimePath); err != nil {
			return err
		}
		return errors.Join(os.MkdirAll(x.stateDir(id), 0o700), x.sweep(c))
	})
	return nil
}

// volumes looks for what is left of volumes.
func (x *examination) volumes() error {
	store, err := x.Volumes()
	if err != nil {
		return err
	}
	left, err := store.Check(x.exists, x.mend)
	for _, what := range left {
		x.found = append(x.found, Finding{What: what, Mended: x.mend})
	}
	return err
}

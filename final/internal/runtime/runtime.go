// Package runtime makes, starts, looks at, signals and removes containers: the verbs
// of the OCI runtime specification, over a directory of state files.
//
//	rt := &runtime.Runtime{Root: "/run/minirun"}
//	c, err := rt.Create(request, runtime.IO{})
//	err = rt.Start("web")
//	err = rt.Delete("web", true)
//
// A container is the directory ROOT/ID, with
//
//	state.json   what is known of it
//	config.json  its configuration, as it was when it was made
//	start        the socket by which init is told to start; gone once it was
//
// A container's directory is locked while it is being changed (flock(2)); the kernel
// unlocks it however the holder ends. State files appear whole: they are written under
// another name and renamed. So whenever a process of ours is killed, what it has made
// can be found and removed by Delete with force.
package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lab/final/internal/plan"
	"lab/final/internal/spec"

	"golang.org/x/sys/unix"
)

// Runtime is where containers are.
type Runtime struct {
	Root string // a directory for state, made if need be

	Warn  func(what string) // is told what goes on without, or nil
	Debug func(what string) // is told the operations before they are performed, or nil
}

// tell tells what a plan does, and what it goes on without.
func (r *Runtime) tell(p plan.Plan) {
	if r.Debug != nil {
		for i, op := range p.All() {
			r.Debug(fmt.Sprintf("%d %s: %s", i+1, op.Side, op.Do.Words().Does))
		}
	}
	for _, what := range p.Warnings {
		if r.Warn != nil {
			r.Warn(what)
		}
	}
}

// The states that a verb may find a container in and cannot work with.
var (
	ErrNotFound   = errors.New("container does not exist")
	ErrExists     = errors.New("container already exists")
	ErrNotRunning = errors.New("container not running")
	ErrRunning    = errors.New("it has to be stopped first")
	ErrBusy       = errors.New("another minirun is at work on it")
)

// DefaultRoot is where state is if nothing else is said: for root /run/minirun, else a
// directory that goes when its user logs out.
func DefaultRoot() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && os.Geteuid() != 0 {
		return filepath.Join(dir, "minirun")
	}
	if os.Geteuid() != 0 {
		return fmt.Sprintf("/tmp/minirun-%d", os.Geteuid())
	}
	return "/run/minirun"
}

// dir is a container's directory.
func (r *Runtime) dir(id string) string { return filepath.Join(r.Root, id) }

// claim makes the directory of a new container and locks it.
func (r *Runtime) claim(id string) (*os.File, error) {
	if err := os.MkdirAll(r.Root, 0o711); err != nil {
		return nil, err
	}
	err := os.Mkdir(r.dir(id), 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%q: %w", id, ErrExists)
	}
	if err != nil {
		return nil, err
	}
	return r.lockPatiently(id) // whoever lists containers may be looking at it
}

// lock locks a container, so that nobody else changes it meanwhile. Closing the file
// unlocks it.
func (r *Runtime) lock(id string) (*os.File, error) {
	if err := spec.CheckID(id); err != nil {
		return nil, err
	}
	dir, err := os.Open(r.dir(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%q: %w", id, ErrBusy)
	}
	if err == nil && !isAt(dir, r.dir(id)) {
		err = fmt.Errorf("%q: %w", id, ErrNotFound) // it was removed since it was opened
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// isAt reports whether an open directory still has its name.
func isAt(dir *os.File, path string) bool {
	open, err := dir.Stat()
	named, gone := os.Lstat(path)
	return err == nil && gone == nil && os.SameFile(open, named)
}

// locked reports whether somebody has a container locked.
func (r *Runtime) locked(id string) bool {
	lock, err := r.lock(id)
	if err == nil {
		_ = lock.Close() // it was not written to
	}
	return errors.Is(err, ErrBusy)
}

// write writes a file so that it is there whole or not at all.
func write(path string, text []byte, mode os.FileMode) error {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(temporary, text, mode); err != nil {
		return errors.Join(err, remove(temporary))
	}
	return os.Rename(temporary, path)
}

// remove removes a file, which may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

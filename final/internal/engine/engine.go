//go:build linux

// Package engine keeps containers: a directory of records, and a monitor for each that
// runs. It joins what its neighbours do, images and layers, volumes, networks and
// monitors, and drives an OCI runtime by command line. One file a verb.
//
//	e, err := engine.Open(engine.Options{Root: "/var/lib/mini", State: "/run/mini"})
//	c, err := e.Create(ctx, engine.Request{Image: "base", Args: []string{"sh"}})
//	conn, err := e.Start(c, true)
//
// Below Root is what outlasts a reboot, below State what does not:
//
//	ROOT/names/NAME                     a symbolic link that holds an ID
//	ROOT/events                         what has happened: event.Log
//	ROOT/containers/ID                  locked by whoever starts or removes it: flock(2)
//	ROOT/containers/ID/container.json   what was asked for: Container
//	ROOT/containers/ID/state.json       how it is doing: monitor.State
//	ROOT/containers/ID/log              what it has said: monitor.Log
//	ROOT/containers/ID/upper work init  its layers above the image's
//	STATE/ID/                           bundle, merged root, the monitor's socket
//	STATE/minirun/                      the runtime's own
//
// There is no daemon that would have to be asked. A verb reads the records; a running
// container's monitor is asked by its socket. Each file is written under a temporary name
// and renamed, so that whoever is killed leaves what the next verb understands.
package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/final/internal/hint"
	"lab/final/internal/monitor"
	"lab/final/internal/rootless"
)

// Options say where an engine keeps what, and which runtime makes new containers.
type Options struct {
	Root, State string
	Runtime     string // a name on PATH or beside this program, or a path
	Debug       bool
	Warn        func(text string) // is told what is not as it was asked for, if not nil
}

// Engine keeps the containers of one root directory.
type Engine struct {
	Options

	ids idMaps
	net *rootless.Network // which the bridges are in; nil is the host's own
	// doors are the ports of the host that lead to a monitor's container.
	doors []*rootless.Door
}

// The hints that belong to errors.
var (
	// ErrNotFound means that there is no such container.
	ErrNotFound = hint.New("there is no such container",
		"mini ps -a lists all containers")
	// ErrAmbiguous means that the beginning of an ID is that of several.
	ErrAmbiguous = errors.New("more than one container's ID begins so")
	// ErrName means that a name is none.
	ErrName = errors.New("the name cannot be used")
	// ErrTaken means that a name is another container's.
	ErrTaken = hint.New("taken by the container",
		"mini rm removes it; --name or mini rename gives another name")
	// ErrRunning means that a container would have to be stopped first.
	ErrRunning = errors.New("the container is running")
	// ErrNotRunning means that a container would have to run.
	ErrNotRunning = monitor.ErrEnded
	// ErrPaused means that a container would have to be unpaused first.
	ErrPaused = errors.New("the container is paused")
	// ErrRuntime means that there is no such runtime.
	ErrRuntime = errors.New("there is no such runtime")
	// ErrDamaged means a file of ours that cannot be read, as after a power cut.
	ErrDamaged = hint.New("it is damaged",
		"mini system check --repair removes what cannot be used any more")
)

// Open makes the directories that are missing.
func Open(o Options) (*Engine, error) {
	for _, dir := range []*string{&o.Root, &o.State} {
		var err error
		if *dir, err = filepath.Abs(*dir); err != nil {
			return nil, err
		}
	}
	ids, err := readMaps()
	if err != nil {
		return nil, err
	}
	e := &Engine{Options: o, ids: ids}
	if e.Warn == nil {
		e.Warn = func(string) {}
	}
	for _, dir := range []string{e.path("containers"), e.path("names"), o.State} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// path is one below the root directory.
func (e *Engine) path(elements ...string) string {
	return filepath.Join(append([]string{e.Root}, elements...)...)
}

// dir is the directory of a container.
func (e *Engine) dir(id string) string { return e.path("containers", id) }

// stateDir is the directory of a running container.
func (e *Engine) stateDir(id string) string { return filepath.Join(e.State, id) }

// runtimePath finds the program of a runtime: on PATH, or beside this one.
func runtimePath(name string) (string, error) {
	if filepath.Base(name) == name {
		if self, err := os.Executable(); err == nil {
			beside := filepath.Join(filepath.Dir(self), name)
			if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
				return beside, nil
			}
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("runtime %q: %w on PATH", name, ErrRuntime)
	}
	return filepath.Abs(path)
}

// runtime is the runtime of a container and the flags before its verb.
func (e *Engine) runtime(c *Container) []string {
	words := []string{
		c.RuntimePath, "--root", filepath.Join(e.State, filepath.Base(c.RuntimePath)),
	}
	if c.wantsScope() {
		words = append(words, "--systemd-cgroup")
	}
	return words
}

// lock locks a container against others that would start, change or remove it, until the
// file is closed: its directory, so that who waits makes nothing in one that is being
// removed. A monitor inherits the lock, so that it holds until the container runs or does
// not, whoever is killed.
func (e *Engine) lock(id string) (*os.File, error) { return e.flock(id, unix.LOCK_EX) }

// flock is lock, or with LOCK_NB an error if somebody has the lock: EWOULDBLOCK. Who has a
// container's lock may wait for the images; who is alone with the images must not wait for
// a container's lock.
func (e *Engine) flock(id string, how int) (*os.File, error) {
	file, err := os.Open(e.dir(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", short(id), ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", file.Name(), err), file.Close())
	}
	// It may have been removed while we waited.
	if _, err := os.Lstat(e.recordPath(id)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", short(id), ErrNotFound), file.Close())
	}
	return file, nil
}

// short is the part of an ID that people are shown.
func short(id string) string { return id[:min(len(id), 12)] }

// readJSON reads a file of ours.
func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read %s: %w: %w", path, ErrDamaged, err)
	}
	return nil
}

// writeJSON writes a file that others see whole or not at all.
func writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, text)
}

// writeFile writes a file under another name and renames it.
func writeFile(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lab/final/internal/cgroup"
	"lab/final/internal/kernel"
	"lab/final/internal/object"
	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// record is what is kept of a container, in state.json.
type record struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Owner       int               `json:"owner"`
	Annotations map[string]string `json:"annotations,omitempty"`

	Init   process        `json:"init"`            // zero before it is cloned
	Ready  bool           `json:"ready,omitempty"` // it waits for start, or was started
	Cgroup *cgroup.Cgroup `json:"cgroup,omitempty"`
	Hooks  specs.Hooks    `json:"hooks"` // of start and delete

	// Resources are the limits since an update; before, those of the configuration.
	Resources *specs.LinuxResources `json:"resources,omitempty"`
}

// State is what `state` and `list` tell of a container.
type State struct {
	specs.State
	Rootfs  string    `json:"rootfs"`
	Created time.Time `json:"created"`
	Owner   string    `json:"owner"`
}

// paused is a status that the specification leaves to runtimes.
const paused specs.ContainerState = "paused"

// save writes the record.
func (r *Runtime) save(c *record) error {
	text, err := object.Write(c)
	if err != nil {
		return err
	}
	return write(filepath.Join(r.dir(c.ID), "state.json"), text, 0o600)
}

// load reads a container's record. A directory without one is that of a container whose
// maker was killed at once.
func (r *Runtime) load(id string) (*record, error) {
	if err := spec.CheckID(id); err != nil {
		return nil, err
	}
	text, err := kernel.Read(filepath.Join(r.dir(id), "state.json"))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(r.dir(id)); err == nil {
			return &record{ID: id, Version: spec.VersionMax}, nil
		}
		return nil, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	c := &record{}
	if err := object.Read(text, c); err != nil {
		return nil, fmt.Errorf("%s of %q: %w", "state.json", id, err)
	}
	return c, nil
}

// status says how far a container is.
func (r *Runtime) status(c *record) specs.ContainerState {
	switch {
	case c.Init.PID == 0 && r.locked(c.ID):
		return specs.StateCreating
	case c.Init.PID == 0 || !c.Init.alive():
		return specs.StateStopped
	case !c.Ready:
		return specs.StateCreating
	}
	if _, err := os.Lstat(r.startSocket(c.ID)); err == nil {
		return specs.StateCreated
	}
	if r.frozen(c) {
		return paused
	}
	return specs.StateRunning
}

// startSocket is the path of the socket by which init is told to start.
func (r *Runtime) startSocket(id string) string { return filepath.Join(r.dir(id), "start") }

// State tells of one container.
func (r *Runtime) State(id string) (State, error) {
	c, err := r.load(id)
	if err != nil {
		return State{}, err
	}
	return r.stateOf(c), nil
}

// stateOf makes a State of a record.
func (r *Runtime) stateOf(c *record) State {
	s := State{
		State: c.oci(r.status(c)), Rootfs: c.Rootfs, Created: c.Created,
		Owner: fmt.Sprint(c.Owner),
	}
	if s.Status == specs.StateStopped {
		s.Pid = 0
	}
	return s
}

// oci is the state as the specification has it, for hooks and clients.
func (c *record) oci(status specs.ContainerState) specs.State {
	return specs.State{
		Version: c.Version, ID: c.ID, Status: status, Pid: c.Init.PID, Bundle: c.Bundle,
		Annotations: c.Annotations,
	}
}

// List tells of all containers, by name.
func (r *Runtime) List() ([]State, error) {
	entries, err := os.ReadDir(r.Root)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	all := []State{}
	for _, e := range entries {
		if !e.IsDir() || spec.CheckID(e.Name()) != nil {
			continue
		}
		s, err := r.State(e.Name())
		if errors.Is(err, ErrNotFound) {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b State) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

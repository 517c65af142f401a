package oom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// place is where cgroups with the memory controller can be made.
type place struct {
	version int
	dir     string
	name    string // of the cgroups to be made: lab-PID-NAMESPACE
	undo    []func() error
}

const subtreeControl = "cgroup.subtree_control"

// findPlace looks for the hierarchy of the memory controller, and in it for a
// cgroup that is ours to make others in.
func findPlace() (*place, error) {
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return nil, err
	}
	for _, h := range hierarchies {
		if !h.Has("memory") {
			continue
		}
		if h.Version == 1 {
			return placeV1(h), nil
		}
		return placeV2(h)
	}
	return nil, fmt.Errorf("%w: no mounted hierarchy has the memory controller", ErrNoCgroup)
}

// placeV1 is the top of the hierarchy for root, and else this process's own
// cgroup, which somebody may have given to this user.
func placeV1(h need.Hierarchy) *place {
	p := &place{version: 1, dir: h.Mount}
	own, ok := h.OwnDir()
	if ok && !mayWrite(h.Mount) && mayWrite(own) {
		p.dir = own
	}
	return p
}

// placeV2 is the top for root, unless a cgroup with processes in it is the top
// of what we see, and else the cgroup that was delegated to this user.
func placeV2(h need.Hierarchy) (*place, error) {
	p := &place{version: 2, dir: h.Mount}
	if !mayWrite(h.Mount) {
		if p.dir = need.Look().Cgroups.Delegated; p.dir == "" {
			return nil, fmt.Errorf("%w: none is delegated to uid %d", ErrNoCgroup, os.Getuid())
		}
	}
	return p, nil
}

// mayWrite asks the kernel whether cgroups can be made in one.
func mayWrite(dir string) bool {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS) == nil
}

// handOn has a version 2 cgroup hand the memory controller on. With processes
// in it only the root of all can: this process moves into a leaf then.
func (p *place) handOn() error {
	if p.version == 1 {
		return nil
	}
	file := filepath.Join(p.dir, subtreeControl)
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	if slices.Contains(strings.Fields(string(text)), "memory") {
		return nil
	}
	if _, err := os.Stat(filepath.Join(p.dir, "cgroup.type")); !errors.Is(err, fs.ErrNotExist) {
		if err := p.makeRoom(); err != nil {
			return err
		}
	}
	// echo +memory > cgroup.subtree_control
	if err := writeText(file, "+memory"); err != nil {
		return fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	p.undo = append(p.undo, func() error {
		if p.shared() {
			return nil // a run of a step came meanwhile and counts on it
		}
		return writeText(file, "-memory")
	})
	return nil
}

// makeRoom moves this process from the cgroup into a leaf. Other processes are
// not ours to move.
func (p *place) makeRoom() error {
	procs := filepath.Join(p.dir, "cgroup.procs")
	text, err := os.ReadFile(procs)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	own := strconv.Itoa(os.Getpid())
	switch members := strings.Fields(string(text)); {
	case len(members) == 0:
		return nil
	case len(members) > 1 || members[0] != own:
		return fmt.Errorf("%w: other processes are in %s, so it cannot hand memory on",
			ErrNoCgroup, p.dir)
	}
	leaf := filepath.Join(p.dir, p.name+"-leaf")
	if err := os.Mkdir(leaf, 0o755); err != nil {
		return fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	p.undo = append(p.undo, func() error {
		return errors.Join(writeText(procs, own), group{dir: leaf}.remove())
	})
	return writeText(filepath.Join(leaf, "cgroup.procs"), own)
}

// shared reports whether another run of lab has a cgroup here.
func (p *place) shared() bool {
	others, err := filepath.Glob(filepath.Join(p.dir, "lab-*"))
	others = slices.DeleteFunc(others, func(dir string) bool {
		return strings.HasPrefix(filepath.Base(dir), p.name)
	})
	return err == nil && len(others) > 0
}

// giveBack puts the place back as it was.
func (p *place) giveBack() error {
	var errs []error
	for _, undo := range slices.Backward(p.undo) {
		errs = append(errs, undo())
	}
	p.undo = nil
	return errors.Join(errs...)
}

// writeText writes to one of the kernel's files and says what.
func writeText(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		return fmt.Errorf("write %s to %s: %w", text, path, err)
	}
	return nil
}

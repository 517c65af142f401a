//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Make makes the cgroup that is asked for, and the missing ones above it. A
// controller that is needed and not to be had is an error; then nothing is left. For an
// ordinary user to whom nothing is delegated it is fs.ErrPermission.
func Make(h Host, r Request) (*Cgroup, error) {
	places, err := h.Places(r)
	if err != nil {
		return nil, err
	}
	c := &Cgroup{Path: r.Path}
	var refused error
	for _, p := range places {
		err := p.makePatiently(r.Needed)
		c.Places = append(c.Places, p) // what it made so far is in it
		isNeeded := func(name string) bool { return slices.Contains(r.Needed, name) }
		if errors.Is(err, fs.ErrPermission) && !slices.ContainsFunc(p.Controllers, isNeeded) {
			refused, err = err, c.undo(len(c.Places)-1) // it was a wish
		}
		if err != nil {
			return nil, errors.Join(err, c.undo(0))
		}
	}
	if len(c.Places) == 0 {
		return nil, refused
	}
	c.Made = true
	return c, nil
}

// makePatiently makes it again if a cgroup above went meanwhile, with the container
// that left it last.
func (p *Place) makePatiently(needed []string) error {
	err := p.make(needed)
	for range 10 {
		if !errors.Is(err, unix.ENOENT) {
			break
		}
		err = p.make(needed)
	}
	return err
}

// make makes the directories of one hierarchy, from the top down.
func (p *Place) make(needed []string) error {
	err := p.makeParents(filepath.Dir(p.Dir))
	if err != nil {
		return err
	}
	if p.Version == 2 {
		if err := p.handOn(needed); err != nil {
			return err
		}
	}
	if err := p.makeOne(p.Dir); err != nil {
		return err
	}
	if err := p.mustBeEmpty(); err != nil {
		return err
	}
	p.mark(p.Dir) // also if somebody has made it for us
	return nil
}

// makeParents makes the cgroups above the container's as far as they are missing.
func (p *Place) makeParents(dir string) error {
	if dir == p.Mount || len(dir) <= len(p.Mount) {
		return nil
	}
	if err := p.makeParents(filepath.Dir(dir)); err != nil {
		return err
	}
	return p.makeOne(dir)
}

// makeOne makes one cgroup, unless it is there, and notes that we did.
//
//	mkdir /sys/fs/cgroup/memory/NAME
func (p *Place) makeOne(dir string) error {
	err := unix.Mkdir(dir, 0o755)
	_, marked := markOf(dir)
	switch {
	case err == nil:
		p.Made = append(p.Made, dir)
		p.mark(dir)
	case !errors.Is(err, unix.EEXIST):
		return fmt.Errorf("mkdir %s: %w", dir, err)
	case dir != p.Dir && !marked:
		return nil // somebody else's, and not ours to configure
	}
	if p.Version == 1 && slices.Contains(p.Controllers, "cpuset") {
		return copyCpuset(dir)
	}
	return nil
}

// copyCpuset gives a new cgroup of version 1 the processors and memory nodes of the
// one above: it is born without any, and then nobody can join it.
//
//	cat ../cpuset.cpus > cpuset.cpus
func copyCpuset(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := readWords(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if len(own) > 0 {
			continue // cgroup.clone_children has done it
		}
		above, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, name), string(above)); err != nil {
			return err
		}
	}
	return nil
}

// mustBeEmpty refuses a cgroup in which processes are, or below it: they would be limited,
// frozen and killed with the container (config-linux.md, "Control groups"). And it
// refuses a frozen one, in which init would never begin.
func (p *Place) mustBeEmpty() error {
	if slices.Contains(p.Made, p.Dir) {
		return nil
	}
	err := filepath.WalkDir(p.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		// 0 is one of a pid namespace that we do not see.
		pids, err := readWords(filepath.Join(path, "cgroup.procs"))
		if err == nil && len(pids) > 0 {
			err = fmt.Errorf("cgroup %s: process %s is in it, which is not the container's",
				path, pids[0])
		}
		return err
	})
	if err != nil {
		return err
	}
	frozen, err := p.frozen()
	if err == nil && frozen {
		err = fmt.Errorf("cgroup %s: it is frozen", p.Dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // version 1 without the freezer
	}
	return err
}

// undo removes what Make has made in the places from one on, and forgets them; a
// cgroup that was there before stays.
func (c *Cgroup) undo(from int) error {
	var errs []error
	for _, p := range c.Places[from:] {
		for _, dir := range slices.Backward(p.Made) {
			errs = append(errs, removeTree(dir, time.Now()))
		}
		errs = append(errs, p.leaveRoom(time.Now()))
	}
	c.Places = c.Places[:from]
	return errors.Join(errs...)
}

// writeFile is one write(2) to a file of the kernel, which never makes one.
func writeFile(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	_, err = unix.Write(fd, []byte(value))
	if err != nil {
		err = fmt.Errorf("write %q to %s: %w", value, path, err)
	}
	// What a close(2) of such a file says is not about the value.
	_ = unix.Close(fd)
	return err
}

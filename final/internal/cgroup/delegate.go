//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// handOn has each cgroup above the container's hand the controllers on. One that is
// only wished for may be refused.
func (p *Place) handOn(needed []string) error {
	below := strings.TrimPrefix(filepath.Dir(p.Dir), p.Mount)
	dir := p.Mount
	for name := range strings.SplitSeq(below, "/") {
		dir = filepath.Join(dir, name)
		already, err := readWords(filepath.Join(dir, subtreeControl))
		if err != nil {
			return err
		}
		for _, controller := range slices.Clone(p.Controllers) {
			if isBuiltIn(controller) || slices.Contains(already, controller) {
				continue
			}
			isNeeded := slices.Contains(needed, controller)
			err := p.handOnOne(dir, controller, isNeeded)
			if err != nil && isNeeded {
				return notHandedOn(dir, controller, err)
			}
			if err != nil {
				i := slices.Index(p.Controllers, controller)
				p.Controllers = slices.Delete(p.Controllers, i, i+1)
			}
		}
	}
	return nil
}

// handOnOne has one cgroup hand one controller on.
//
//	echo +memory > /sys/fs/cgroup/cgroup.subtree_control
func (p *Place) handOnOne(dir, controller string, must bool) error {
	if err := p.vacate(dir, must); err != nil {
		return err
	}
	err := writeFile(filepath.Join(dir, subtreeControl), "+"+controller)
	if err == nil && p.Room != "" && dir == p.Own {
		p.Handed = append(p.Handed, controller)
	}
	return err
}

// vacate makes sure that no process is in a cgroup that is to hand controllers on. The
// root of all may have some. For others the kernel says EBUSY or, of cpu and pids, it
// says nothing, and the cgroups below are of the type "domain invalid": nobody can join
// them.
func (p *Place) vacate(dir string, must bool) error {
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	if errors.Is(err, os.ErrNotExist) || p.Room != "" && dir == p.Own {
		return nil
	}
	members, err := readWords(filepath.Join(dir, "cgroup.procs"))
	if err != nil || len(members) == 0 {
		return err
	}
	if must && dir == p.Own {
		return p.makeRoom(members)
	}
	return fmt.Errorf("%w: process %s", unix.EBUSY, members[0])
}

// makeRoom moves this process from its cgroup into one of its own beside the
// container's. That is how an ordinary user starts a container in a scope of systemd's
// with nothing else in it. Other processes are not ours to move.
//
//	mkdir minirun-room-$$; echo $$ > minirun-room-$$/cgroup.procs
func (p *Place) makeRoom(members []string) error {
	own := strconv.Itoa(os.Getpid())
	if !slices.Equal(members, []string{own}) {
		return fmt.Errorf("%w: it has %d processes beside ours", unix.EBUSY, len(members)-1)
	}
	room := filepath.Join(p.Own, "minirun-room-"+own)
	if err := unix.Mkdir(room, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("mkdir %s: %w", room, err)
	}
	p.Room = room
	return writeFile(filepath.Join(room, "cgroup.procs"), own)
}

// leaveRoom undoes makeRoom, unless other containers have come beside ours: then what
// the cgroup hands on is theirs.
func (p Place) leaveRoom(deadline time.Time) error {
	if p.Room == "" {
		return nil
	}
	entries, err := os.ReadDir(p.Own)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != filepath.Base(p.Room) {
			return nil
		}
	}
	for _, controller := range p.Handed {
		if err := writeFile(filepath.Join(p.Own, subtreeControl), "-"+controller); err != nil {
			return err
		}
	}
	members, err := readWords(filepath.Join(p.Room, "cgroup.procs"))
	if err == nil && slices.Contains(members, strconv.Itoa(os.Getpid())) {
		if err := writeFile(filepath.Join(p.Own, "cgroup.procs"), "0"); err != nil {
			return err
		}
	}
	return removeTree(p.Room, deadline)
}

// notHandedOn says what a refusal by subtree_control means.
func notHandedOn(dir, controller string, err error) error {
	why := ""
	switch {
	case errors.Is(err, unix.EBUSY):
		why = ": processes are in it (a scope of its own: systemd-run --user --scope " +
			"-p Delegate=yes COMMAND)"
	case errors.Is(err, unix.ENOENT):
		why = ": it was not given it, says its cgroup.controllers"
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		why = ": it is not delegated to us (systemd-run --user --scope -p Delegate=yes COMMAND)"
	}
	return fmt.Errorf("cgroup %s cannot hand %s on%s: %w", dir, controller, why, err)
}

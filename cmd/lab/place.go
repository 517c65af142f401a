//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lab/internal/invoker"
	"lab/internal/journal"
)

// place is the directory that a program under judgement may write to. After a
// check that failed it stays until the next one, so that the command that the
// check shows can be repeated by hand, with the files that it had.
type place struct {
	dir  string
	who  invoker.Invoker
	lock *os.File
	run  *journal.Run
}

// takePlace makes the place, empty, and keeps other checks from it. It stands in the
// journal before it is made.
func takePlace(stderr io.Writer, step string) (*place, error) {
	who, err := invoker.Current()
	if err != nil {
		return nil, err
	}
	p := &place{who: who}
	if p.dir, err = p.choose(); err != nil {
		return nil, err
	}
	if err := p.takeLock(stderr); err != nil {
		return nil, err
	}
	if err := p.clear(); err != nil {
		return nil, errors.Join(err, p.lock.Close())
	}
	p.run = beginRun(journal.Plan{
		Command: []string{"lab", "check", step[:2]}, Step: step, Directory: p.dir,
	})
	if err := p.make(); err != nil {
		return nil, errors.Join(err, p.run.End(), p.lock.Close())
	}
	return p, nil
}

// choose returns a name in the directory for temporary files that is free or ours.
// One that is not is somebody else's with the same uid, as in a user namespace.
func (p *place) choose() (string, error) {
	name := filepath.Join(os.TempDir(), "lab-check-"+strconv.Itoa(p.who.UID))
	if p.who.Sudo {
		name += "-sudo" // what root leaves there only root can remove
	}
	dir := name
	for i := 1; ; i++ {
		info, err := os.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) || err == nil && p.owns(info) {
			return dir, nil
		}
		if err != nil {
			return "", fmt.Errorf("choose a directory for the check: %w", err)
		}
		dir = fmt.Sprintf("%s-%d", name, i)
	}
}

// owns reports whether a file is a directory of ours.
func (p *place) owns(info fs.FileInfo) bool {
	return info.IsDir() && int(info.Sys().(*syscall.Stat_t).Uid) == p.who.UID
}

// takeLock waits for the end of another check.
func (p *place) takeLock(stderr io.Writer) error {
	if err := p.who.MkdirAll(p.who.CacheDir()); err != nil {
		return err
	}
	var err error
	if p.lock, err = os.Open(p.who.CacheDir()); err != nil {
		return err
	}
	if unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return nil
	}
	fmt.Fprintln(stderr, "lab: another check is running; this one waits for its end")
	if err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX); err != nil {
		return errors.Join(fmt.Errorf("wait for another check: %w", err), p.lock.Close())
	}
	return nil
}

// make makes the directory. Others may go through it: the container's root may
// be one of them outside.
func (p *place) make() error {
	if err := os.Mkdir(p.dir, 0o755); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make a directory for the check: %w", err)
	}
	// Not by the umask's rules, and not root's under sudo: the build writes here.
	err := os.Chmod(p.dir, 0o755) //nolint:gosec // see above
	if err = errors.Join(err, os.Chown(p.dir, p.who.UID, p.who.GID)); err != nil {
		return fmt.Errorf("make a directory for the check: %w", err)
	}
	return nil
}

// clear removes what a check has left. It touches nothing of somebody else's,
// and nothing while something is mounted there, as after a command that was
// repeated by hand: what looks like a copy may be the host's own.
func (p *place) clear() error {
	info, err := os.Lstat(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !p.owns(info) {
		return fmt.Errorf("make room for the check: %s is not ours", p.dir)
	}
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(p.dir))
	if err != nil {
		return fmt.Errorf("look for mounts below %s: %w", p.dir, err)
	}
	if len(mounts) > 0 {
		on := mounts[len(mounts)-1].Mountpoint
		return hinted{
			fmt.Errorf("make room for the check: something is mounted on %s", on),
			"sudo umount " + on,
		}
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("make room for the check: %w", err)
	}
	return nil
}

// leave lets the next check in. Where all went well nothing is left.
func (p *place) leave(well bool) error {
	end := p.run.Leave
	if well {
		end = p.run.End
	}
	return errors.Join(end(), p.lock.Close())
}

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
)

// A container's root can be directories of the host in place of an image. One is its root
// as it is. Several, the uppermost first, are layers that stay as they are, as those of an
// image; what the container changes goes to a directory that is named, and where none is
// the root is read-only.
//
//	mini run --rootfs /srv/debian sh
//	mini run --rootfs /srv/app:/srv/debian --upper /srv/changes sh

// rootDirs takes the place of the image of a request.
func rootDirs(r *Request) (Image, func(), error) {
	r.Image = strings.Join(r.Rootfs, ":")
	layered := len(r.Rootfs) > 1 || r.Upper != ""
	if layered && r.Upper == "" {
		r.HostConfig.ReadonlyRootfs = true
	}
	dirs := r.Rootfs
	if r.Upper != "" {
		dirs = append([]string{r.Upper}, dirs...)
	}
	for i, dir := range dirs {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "use as a root", Path: dir, Err: unix.ENOTDIR}
		}
		if err == nil {
			dirs[i], err = filepath.Abs(dir)
		}
		if err != nil {
			return Image{}, nil, err
		}
	}
	if r.Upper != "" {
		r.Upper = dirs[0]
	}
	return Image{Lower: dirs[len(dirs)-len(r.Rootfs):]}, func() {}, nil
}

// plainRoot is the one directory that is the container's root as it is, if it has one.
func (c *Container) plainRoot() string {
	if c.Image == "" && len(c.Lower) == 1 && c.Upper == "" {
		return c.Lower[0]
	}
	return ""
}

// upperAndWork are the directories of what the container changes. The kernel wants both
// on one file system.
func (e *Engine) upperAndWork(c *Container) (upper, work string) {
	if c.Upper != "" {
		return c.Upper, c.Upper + ".mini-" + short(c.ID)
	}
	return filepath.Join(e.dir(c.ID), "upper"), filepath.Join(e.dir(c.ID), "work")
}

// claimUpper makes a directory for changes that somebody has named this container's alone
// as long as this process lives. What two overlays do to one is not defined.
func (e *Engine) claimUpper(c *Container) error {
	if c.Upper == "" {
		return nil
	}
	fd, err := unix.Open(c.Upper, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", c.Upper, err)
	}
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another container that runs writes to it")
	}
	_, work := e.upperAndWork(c)
	if err == nil {
		err = os.MkdirAll(work, 0o700)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("--upper %s: %w", c.Upper, err), unix.Close(fd))
	}
	return nil // fd stays open
}

// removeWork removes the directory that an overlay has beside a named one for changes.
func (e *Engine) removeWork(c *Container) error {
	if c.Upper == "" {
		return nil
	}
	_, work := e.upperAndWork(c)
	return os.RemoveAll(work)
}

// removeState removes the directory of a container that does not run. Nothing may be
// mounted in it: on the root could be a directory of the host's, which is not ours to
// empty. rmdir(2) refuses a place where something is mounted. The directory is renamed, for
// an exec that is being started would put a file into it while it is removed.
func (e *Engine) removeState(id string) error {
	if err := os.Remove(e.lentDir(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("something is lent in %s: %w", e.stateDir(id), err)
	}
	err := os.Remove(e.rootfs(id))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("something is mounted in %s: %w", e.stateDir(id), err)
	}
	gone := e.stateDir(id) + goneSuffix
	err = os.RemoveAll(gone) // of somebody who was killed
	if err == nil {
		err = os.Rename(e.stateDir(id), gone)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, os.RemoveAll(gone))
}

// goneSuffix ends the name of a run's directory that is being removed.
const goneSuffix = ".gone"

// optionPage is how many letters of options mount(2) takes.
const optionPage = 4096

// shortNames opens directories whose names do not fit into the options of a mount, in
// number or by what they contain: those of open files are short, and a hundred fit.
func shortNames(dirs []string) (names []string, done func(), err error) {
	all := strings.Join(dirs, "/")
	if len(all) < optionPage/2 && !strings.ContainsAny(all, `,:\`) {
		return dirs, func() {}, nil
	}
	var files []int
	done = func() {
		for _, fd := range files {
			_ = unix.Close(fd) // nothing was written
		}
	}
	for _, dir := range dirs {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("open the layer %s: %w", dir, err)
		}
		files, names = append(files, fd), append(names, fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	return names, done, nil
}

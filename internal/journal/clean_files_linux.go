package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// cleanFiles removes what runs have left in the file system: their temporary
// directories and the working directories of their overlays.
func (c *cleaning) cleanFiles() error {
	for _, s := range c.ended {
		if c.inUse(s.Directory) {
			continue // another check works there now, and removes it
		}
		if err := s.checkDirectory(); err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				c.keep(Files, "directory "+s.Directory, err.Error())
			}
		} else {
			c.do(Files, "directory "+s.Directory, func() error {
				return removeDirectory(s.Directory)
			})
		}
		c.cleanWork(s)
	}
	return nil
}

// inUse reports whether a run that goes on has this directory.
func (c *cleaning) inUse(dir string) bool {
	return slices.ContainsFunc(c.active, func(s *stored) bool { return s.Directory == dir })
}

// checkDirectory refuses a directory that is not the one that this run made:
// one with another name, of another owner, or that a mount lies in.
func (s *stored) checkDirectory() error {
	name := filepath.Base(s.Directory)
	named := name == directoryPrefix+s.ID || checkDirectory.MatchString(name)
	if !named || !filepath.IsAbs(s.Directory) {
		return fmt.Errorf("it is not named %s", directoryPrefix+s.ID)
	}
	var st unix.Stat_t
	if err := unix.Lstat(s.Directory, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return errors.New("it is no directory")
	case st.Uid != s.owner && st.Uid != 0:
		return fmt.Errorf("it belongs to uid %d, not to %d", st.Uid, s.owner)
	}
	return checkMounts(s.Directory)
}

// checkMounts refuses a directory that is or holds a mount point: what is
// mounted there is not the run's. A run mounts nothing on the host.
func checkMounts(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	inside, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return m.Mountpoint != real && !strings.HasPrefix(m.Mountpoint, real+"/"), false
	})
	if err != nil {
		return fmt.Errorf("read own mounts: %w", err)
	}
	if len(inside) > 0 {
		return fmt.Errorf("%s is mounted on %s", inside[0].FSType, inside[0].Mountpoint)
	}
	return nil
}

// removeDirectory removes a run's directory with all that is in it, unless a
// mount is. What dies with a killed run may make files there to its last moment,
// which is waited for.
func removeDirectory(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := checkMounts(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	err := os.RemoveAll(dir)
	for began := time.Now(); errors.Is(err, unix.ENOTEMPTY) && time.Since(began) < patience; {
		time.Sleep(time.Millisecond)
		err = os.RemoveAll(dir)
	}
	if err != nil {
		return fmt.Errorf("remove the temporary root: %w", err)
	}
	return nil
}

// cleanWork removes the working directory that an overlay had beside its upper
// one, unless a container uses upper: that one holds its lock.
func (c *cleaning) cleanWork(s *stored) {
	what := "directory " + s.Work
	entries, err := os.ReadDir(s.Work)
	if s.Work == "" || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		c.keep(Files, what, err.Error())
		return
	}
	for _, entry := range entries {
		if entry.Name() != "work" && entry.Name() != "index" {
			c.keep(Files, what, entry.Name()+" is in it: not left by an overlay")
			return
		}
	}
	if err := checkMounts(s.Work); err != nil {
		c.keep(Files, what, err.Error())
		return
	}
	upper, err := os.Open(strings.TrimSuffix(s.Work, ".work"))
	if err == nil {
		defer upper.Close()
		err = unix.Flock(int(upper.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		c.keep(Files, what, fmt.Sprintf("upper is in use: %v", err))
		return
	}
	c.do(Files, what, func() error { return removeWork(s.Work) })
}

// removeWork removes an overlay's working directory and the two that the
// kernel makes in it, whose mode is 000. No link leads out of an os.Root.
func removeWork(work string) error {
	inside, err := os.OpenRoot(work)
	if err != nil {
		return err
	}
	defer inside.Close()
	for _, name := range []string{"work", "index"} {
		err := inside.Chmod(name, 0o700)
		if err == nil {
			err = inside.RemoveAll(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Remove(work)
}

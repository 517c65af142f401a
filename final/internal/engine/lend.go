//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"lab/final/internal/rootfs"
)

// The files of a container with users of its own have the owners on disk that they have in
// it: layers are shared by all, whoever they are, and what one has changed can be committed
// as it is. So they are lent: a mount in between has what is user 0's on disk be that of
// the user for whom the container's 0 stands, and the other way round.
//
//	STATE/ID/lent/layer0 …   the layers of the image
//	STATE/ID/lent/changes    where what it changes is, as upper and work
//	STATE/ID/lent/own        where its hosts, hostname and resolv.conf are
//	STATE/ID/lent/volume0 …  its volumes
//
// All this is in the monitor's mounts alone, on a tmpfs, which takes it along when it goes.

// lending lends files to a container. Where there is none they are what they are.
type lending struct {
	dir   string
	users *os.File // a user namespace with the container's maps
	first int      // who is the container's root
}

// lentDir is where a container finds what it is lent.
func (e *Engine) lentDir(id string) string { return filepath.Join(e.stateDir(id), "lent") }

// newLending makes the place for it.
func (e *Engine) newLending(c *Container, users *os.File) (*lending, error) {
	l := &lending{dir: e.lentDir(c.ID), users: users, first: int(c.FirstID)}
	if err := os.MkdirAll(l.dir, 0o711); err != nil {
		return nil, err
	}
	// mount -t tmpfs -o mode=711 lent STATE/ID/lent
	if err := unix.Mount("lent", l.dir, "tmpfs", unix.MS_NOSUID, "mode=711,size=1m"); err != nil {
		return nil, fmt.Errorf("mount a tmpfs on %s: %w", l.dir, err)
	}
	return l, nil
}

// lend shows a file or directory, with what is mounted below it, as that of others.
//
//	mount --rbind -o X-mount.idmap=b:0:2000000000:65536 PATH STATE/ID/lent/AS
func (l *lending) lend(path, as string) (string, error) {
	if l == nil {
		return path, nil
	}
	tree, err := rootfs.OpenTree(path, true)
	if err != nil {
		return "", fmt.Errorf("open_tree %s: %w", path, err)
	}
	defer unix.Close(tree) //nolint:errcheck // Who has a place needs it no longer.
	err = rootfs.MapOwners(tree, int(l.users.Fd()), false)
	if errors.Is(err, unix.EINVAL) {
		err = errors.New("its file system cannot do that, as ext4, xfs and btrfs can")
	}
	if err != nil {
		return "", fmt.Errorf("show %s with other owners: %w", path, err)
	}
	place := filepath.Join(l.dir, as)
	if err := l.makePlace(tree, place); err != nil {
		return "", err
	}
	err = unix.MoveMount(tree, "", unix.AT_FDCWD, place, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return "", fmt.Errorf("move_mount %s to %s: %w", path, place, err)
	}
	return place, nil
}

// makePlace makes a directory for a directory, and else a file.
func (l *lending) makePlace(tree int, place string) error {
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return os.Mkdir(place, 0o711)
	}
	return os.WriteFile(place, nil, 0o644)
}

// as does something as the container's root where files are concerned.
func (l *lending) as(do func() error) error {
	if l == nil {
		return do()
	}
	return asRoot(l.first, do)
}

// asRoot does something as somebody else where files are concerned, with all rights over
// them: what is made is theirs. Who is not lent files cannot make any among them
// (EOVERFLOW).
func asRoot(id int, do func() error) error {
	if id == 0 {
		return do()
	}
	done := make(chan error)
	go func() {
		// The thread is somebody else to the end, which is that of this function.
		runtime.LockOSThread()
		err := becomeForFiles(id)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// becomeForFiles makes the thread somebody else where files are concerned. That takes its
// rights over files away, which it takes back (capabilities(7)).
func becomeForFiles(id int) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	if err := errors.Join(unix.Setfsgid(id), unix.Setfsuid(id)); err != nil {
		return fmt.Errorf("setfsuid %d: %w", id, err)
	}
	if err := unix.Capset(&head, &data[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}

// withOwners writes the bundle of a container with users of its own, and mounts its root
// for it. Before that the files are seen as they are on disk: a user is looked up, a
// directory made and a volume filled there.
func (e *Engine) withOwners(c *Container, users *os.File) error {
	if err := e.unmountRoot(c); err != nil { // this is not the first start
		return err
	}
	l, err := e.newLending(c, users)
	if err == nil {
		err = e.mountRoot(c, nil)
	}
	if err != nil {
		return err
	}
	if err := e.writeBundle(c, l); err != nil {
		return err
	}
	if err := unix.Unmount(e.rootfs(c.ID), unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", e.rootfs(c.ID), err)
	}
	return l.as(func() error { return e.mountRoot(c, l) })
}

// unmountRoot unmounts the container's root, and all that it was lent.
func (e *Engine) unmountRoot(c *Container) error {
	var errs []error
	for _, dir := range []string{e.rootfs(c.ID), e.lentDir(c.ID)} {
		err := unix.Unmount(dir, unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

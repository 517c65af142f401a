// Package rootfs works in a container's root while that is still a directory of the
// host's: it makes mount points, mounts on them, hides and protects.
//
//	root, err := rootfs.Bind("/bundle/rootfs")
//	err = root.Mount(rootfs.FS{Type: "proc", Source: "proc", Target: "/proc"})
//	err = root.Pivot()
//
// Every name is resolved by openat2(2) with RESOLVE_IN_ROOT: absolute symbolic links
// and every .. stay below the root, as they will in the container. What is found is
// an open file, and what is mounted is mounted on that file and not on its name, which
// may lead elsewhere by then. Nothing here reads /proc, which may be the image's. See
// openat2(2), open_tree(2), move_mount(2), pivot_root(2).
package rootfs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is the root of a container to be.
type Root struct {
	fd int
}

// Bind makes a directory a mount of its own, with all that is mounted in it, and
// opens it.
//
//	mount --rbind PATH PATH
func Bind(path string) (*Root, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, unix.ENOTDIR
	}
	if err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return nil, err
	}
	return Open(path)
}

// Open opens a root that is a mount already.
func Open(path string) (*Root, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Root{fd}, nil
}

// At is the root that an open directory is.
func At(fd int) *Root { return &Root{fd} }

// Close lets go of the root.
func (r *Root) Close() error { return unix.Close(r.fd) }

// open opens a name as the container will see it.
func (r *Root) open(name string, flags, resolve uint64) (int, error) {
	how := &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | resolve,
	}
	fd, err := unix.Openat2(r.fd, name, how)
	// EAGAIN: somebody renamed something meanwhile, so that a .. is not certain.
	for range 1000 {
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
		fd, err = unix.Openat2(r.fd, name, how)
	}
	return fd, err
}

// Resolve finds a file by its name, to be used as a place and not to be read.
func (r *Root) Resolve(name string) (int, error) { return r.open(name, unix.O_PATH, 0) }

// OpenFile opens a file to be read or written.
func (r *Root) OpenFile(name string, flags int) (int, error) {
	return r.open(name, uint64(flags)|unix.O_NOCTTY, 0)
}

// Dir finds a directory, and makes it with those above it if it is not there.
//
//	mkdir -p ROOT/NAME
func (r *Root) Dir(name string) (int, error) { return r.make(name, true, maxLinks) }

// File finds a file, and makes an empty one if it is not there.
//
//	mkdir -p ROOT/DIR && touch ROOT/NAME
func (r *Root) File(name string) (int, error) { return r.make(name, false, maxLinks) }

// maxLinks is how many symbolic links that lead nowhere are followed: as many as the
// kernel follows of others.
const maxLinks = 40

// make finds a file or directory, or makes it.
func (r *Root) make(name string, dir bool, links int) (int, error) {
	fd, err := r.Resolve(name)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	above, last := cut(name)
	parent, err := r.make(above, true, links)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(parent) }() // it was not written to
	if dir {
		err = unix.Mkdirat(parent, last, 0o755)
	} else {
		err = unix.Mknodat(parent, last, unix.S_IFREG|0o644, 0)
	}
	if errors.Is(err, unix.EEXIST) {
		return r.follow(parent, above, last, dir, links)
	}
	if err != nil {
		return -1, fmt.Errorf("make %s: %w", name, err)
	}
	return r.Resolve(name)
}

// follow makes what a symbolic link leads to that leads to nothing yet, as many images
// have one in place of /etc/resolv.conf.
func (r *Root) follow(parent int, above, last string, dir bool, links int) (int, error) {
	if links == 0 {
		return -1, unix.ELOOP
	}
	var buffer [unix.PathMax]byte
	n, err := unix.Readlinkat(parent, last, buffer[:])
	if errors.Is(err, unix.EINVAL) {
		return r.Resolve(above + "/" + last) // no link: somebody was faster
	}
	if err != nil {
		return -1, fmt.Errorf("read the link %s/%s: %w", above, last, err)
	}
	to := string(buffer[:n])
	if !strings.HasPrefix(to, "/") {
		to = above + "/" + to
	}
	return r.make(to, dir, links-1)
}

// Parent finds the directory of a name, and makes it if it is not there. The last word
// of the name is what is to be made in it.
func (r *Root) Parent(name string) (dir int, last string, err error) {
	above, last := cut(name)
	dir, err = r.Dir(above)
	return dir, last, err
}

// cut parts a name into the directory and the last word. The directory is not
// cleaned: what a .. in it means depends on the links before it.
func cut(name string) (above, last string) {
	name = strings.TrimRight(name, "/")
	i := strings.LastIndexByte(name, '/')
	if i <= 0 {
		return "/", name[i+1:]
	}
	return name[:i], name[i+1:]
}

// Pivot makes the root the root of this process's mount namespace, and lets go of the
// old one. chroot(2) would leave that mounted, and with it a way out.
//
//	cd ROOT && pivot_root . . && umount -l .
func (r *Root) Pivot() error {
	if err := unix.Fchdir(r.fd); err != nil {
		return err
	}
	// With both names "." the old root comes to lie on top of the new one, so no
	// directory is needed for it; the umount takes it off again.
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	// Until it is parted, the umount would reach the mounts of which ours are copies.
	if err := unix.Mount("", ".", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("part the old root from the host: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount the old root: %w", err)
	}
	return unix.Chdir("/")
}

// Move moves the root over the old one, where pivot_root(2) cannot exchange them: the
// old one is an initramfs.
//
//	cd ROOT && mount --move . / && chroot .
func (r *Root) Move() error {
	if err := unix.Fchdir(r.fd); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return unix.Chdir("/")
}

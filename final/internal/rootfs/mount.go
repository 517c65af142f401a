package rootfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// FS is a file system to mount.
type FS struct {
	Type        string
	Source      string
	Target      string
	Flags       uintptr // of mount(2)
	Data        string
	Propagation uintptr
	CopyUp      bool // it begins with what the place has held
}

// Mount mounts a file system, on a directory that is made if need be.
func (r *Root) Mount(m FS) error {
	target, err := r.place(m.Type, m.Target)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(target) }() // it was not written to
	if err := mountOn(target, m); err != nil {
		return err
	}
	if m.CopyUp {
		if err := r.copyUp(target, m.Target); err != nil {
			return fmt.Errorf("copy what was there: %w", err)
		}
	}
	return r.propagate(m.Target, m.Propagation)
}

// place finds where a file system is to be mounted.
func (r *Root) place(kind, name string) (int, error) {
	if kind == "proc" || kind == "sysfs" {
		return r.plain(name)
	}
	target, err := r.Dir(name)
	if err != nil {
		return -1, err
	}
	return target, r.allowed(target, name)
}

// plain finds the place of the kernel's own file systems. What is masked in them
// later is found by name: no link of an image may stand in for the place.
func (r *Root) plain(name string) (int, error) {
	if _, err := r.Dir(name); err != nil {
		return -1, err
	}
	fd, err := r.open(name, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ELOOP) {
		return -1, fmt.Errorf("the root has a symbolic link in place of %s: %w", name, err)
	}
	return fd, err
}

// allowed refuses a place in /proc, but for the files that describe the machine and
// that some clients replace: what reads /proc must be able to believe it.
func (r *Root) allowed(fd int, name string) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	if fs.Type != unix.PROC_SUPER_MAGIC || slices.Contains([]string{
		"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps",
		"/proc/uptime", "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev",
		"/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
	}, name) {
		return nil
	}
	var st, root unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstat(r.fd, &root)); err != nil {
		return err
	}
	const procRoot = 1 // the inode of a proc's own root directory
	if st.Ino == procRoot && name == "/proc" {
		return nil
	}
	return errors.New("it is in /proc, which would no longer tell the truth")
}

// mountOn mounts a file system on an open directory. That is made the working
// directory, for mount(2) takes a name and "." is one that leads nowhere else.
//
//	cd TARGET && mount -t TYPE -o FLAGS,DATA SOURCE .
func mountOn(target int, m FS) error {
	if err := unix.Fchdir(target); err != nil {
		return err
	}
	err := unix.Mount(m.Source, ".", m.Type, m.Flags, m.Data)
	return errors.Join(err, unix.Chdir("/"))
}

// propagate sets how mounts and unmounts at a place reach others.
func (r *Root) propagate(name string, flags uintptr) error {
	if flags == 0 {
		return nil
	}
	top, err := r.Resolve(name)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(top) }() // it was not written to
	return SetPropagation(top, flags)
}

// SetPropagation sets the propagation of an open mount: MS_PRIVATE and so on, with
// MS_REC of all mounts in it.
func SetPropagation(fd int, flags uintptr) error {
	how := uint(unix.AT_EMPTY_PATH)
	if flags&unix.MS_REC != 0 {
		how |= unix.AT_RECURSIVE
	}
	attr := &unix.MountAttr{Propagation: uint64(flags &^ unix.MS_REC)}
	if err := unix.MountSetattr(fd, "", how, attr); err != nil {
		return fmt.Errorf("set the propagation: %w", err)
	}
	return nil
}

// Attrs are the attributes that are set and cleared on a mount.
type Attrs struct{ Set, Clear uint64 }

// apply sets attributes on an open mount, or on all mounts in it.
func (a Attrs) apply(fd int, how uint) error {
	if a == (Attrs{}) {
		return nil
	}
	err := unix.MountSetattr(fd, "", how|unix.AT_EMPTY_PATH,
		&unix.MountAttr{Attr_set: a.Set, Attr_clr: a.Clear})
	if err != nil {
		return fmt.Errorf("set the attributes: %w", err)
	}
	return nil
}

// Tree is a part of the host that the container shall see.
type Tree struct {
	Source      string
	Open        int // it is open already, as a mount without a place; 0: it is not
	Target      string
	Recursive   bool
	Attrs       Attrs
	All         Attrs // on the mounts in it, too
	Propagation uintptr
}

// Bind shows a file or directory of the host at a place in the root. The mount has its
// attributes before it has its place.
//
//	mount --rbind -o ATTRS SOURCE ROOT/TARGET
func (r *Root) Bind(t Tree) error {
	tree, err := t.Open, error(nil)
	if tree == 0 {
		tree, err = OpenTree(t.Source, t.Recursive)
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(tree) }() // a mount that has a place needs it no longer
	if err := t.All.apply(tree, unix.AT_RECURSIVE); err != nil {
		return err
	}
	if err := t.Attrs.apply(tree, 0); err != nil {
		return err
	}
	if err := r.attach(tree, t.Target); err != nil {
		return err
	}
	return r.propagate(t.Target, t.Propagation)
}

// Attach makes an open tree a root: a mount in the place of a directory. A directory that
// this process cannot reach it needs not: the tree is mounted on top of /, where nobody
// looks, for every name begins below that.
func Attach(tree int, path string) (*Root, error) {
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, unix.ENOTDIR
	}
	err := unix.MoveMount(tree, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if errors.Is(err, unix.EACCES) {
		err = unix.MoveMount(tree, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH)
	}
	return &Root{tree}, err
}

// OpenTree makes a mount without a place of a part of the host, with all that is mounted
// below it if that is asked for.
func OpenTree(path string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return unix.OpenTree(unix.AT_FDCWD, path, flags)
}

// MapOwners has the files of an open tree belong to others: to those for whom their
// owners stand in a user namespace.
func MapOwners(tree, namespace int, recursive bool) error {
	how := uint(unix.AT_EMPTY_PATH)
	if recursive {
		how |= unix.AT_RECURSIVE
	}
	return unix.MountSetattr(tree, "", how, &unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(namespace),
	})
}

// attach gives a mount without a place one in the root: a directory for a directory,
// else a file.
func (r *Root) attach(tree int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return err
	}
	find := r.File
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		find = r.Dir
	}
	target, err := find(name)
	if err != nil {
		return fmt.Errorf("find the place %s: %w", strings.TrimPrefix(name, "/"), err)
	}
	defer func() { _ = unix.Close(target) }() // it was not written to
	if err := r.allowed(target, name); err != nil {
		return err
	}
	return attachTo(tree, target)
}

// attachTo gives a mount without a place that of an open file.
func attachTo(tree, target int) error {
	return unix.MoveMount(tree, "", target, "",
		unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// AttachFile gives an open file of the host's, such as a terminal, a place in the root.
func (r *Root) AttachFile(file int, name string) error {
	tree, err := clone(file, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(tree) }() // a mount that has a place needs it no longer
	return r.attach(tree, name)
}

// clone makes a mount without a place of an open file or directory.
func clone(fd int, more uint) (int, error) {
	return unix.OpenTree(fd, "",
		unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|more)
}

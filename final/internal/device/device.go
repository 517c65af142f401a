//go:build linux

// Package device makes the nodes and links of a container's /dev.
//
// What every container has (config-linux.md, "Default Devices") is in Defaults and
// Links, what its configuration adds comes from FromSpec. A node is made in a
// directory that the caller has opened inside the root, by its last name, so no
// symbolic link of an image leads anywhere else:
//
//	dir, err := …openat2(root, "dev", RESOLVE_IN_ROOT)…
//	err = node.Make(dir, "null")   // mknod(2), as root of the machine
//	err = node.Bind(dir, "null")   // in a user namespace: the host's node, mounted
//
// See mknod(2), open_tree(2), user_namespaces(7).
package device

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Node is a device, or a FIFO, that a container has.
type Node struct {
	Path         string // in the container: /dev/null
	Mode         uint32 // type and permissions: S_IFCHR | 0666
	Major, Minor uint32
	UID, GID     uint32 // owner, as the container numbers users
}

// Link is a symbolic link that a container has.
type Link struct{ Path, Target string }

// Defaults are the nodes that every container has.
func Defaults() []Node {
	character := func(path string, major, minor uint32) Node {
		return Node{Path: path, Mode: unix.S_IFCHR | 0o666, Major: major, Minor: minor}
	}
	return []Node{
		character("/dev/null", 1, 3),
		character("/dev/zero", 1, 5),
		character("/dev/full", 1, 7),
		character("/dev/random", 1, 8),
		character("/dev/urandom", 1, 9),
		character("/dev/tty", 5, 0),
	}
}

// Links are the symbolic links that every container has. For /dev/ptmx the container
// needs a devpts of its own.
func Links() []Link {
	return []Link{
		{"/dev/fd", "/proc/self/fd"},
		{"/dev/stdin", "/proc/self/fd/0"},
		{"/dev/stdout", "/proc/self/fd/1"},
		{"/dev/stderr", "/proc/self/fd/2"},
		{"/dev/ptmx", "pts/ptmx"},
	}
}

// kindOf reads linux.devices[].type; u is an unbuffered character device.
func kindOf(letter string) (kind uint32, ok bool) {
	switch letter {
	case "b":
		return unix.S_IFBLK, true
	case "c", "u":
		return unix.S_IFCHR, true
	case "p":
		return unix.S_IFIFO, true
	}
	return 0, false
}

// FromSpec reads one of linux.devices. Without a mode it is 0666, as in other
// runtimes; without an owner it is root's.
func FromSpec(given specs.LinuxDevice) (Node, error) {
	kind, ok := kindOf(given.Type)
	if !ok {
		return Node{}, fmt.Errorf("device %s: type %q is none of b, c, u, p",
			given.Path, given.Type)
	}
	if !filepath.IsAbs(given.Path) || filepath.Clean(given.Path) == "/" {
		return Node{}, fmt.Errorf("device %q: the path is not absolute", given.Path)
	}
	const largest = 1<<32 - 1
	for _, number := range []int64{given.Major, given.Minor} {
		if kind != unix.S_IFIFO && (number < 0 || number > largest) {
			return Node{}, fmt.Errorf("device %s: %d:%d is no device number",
				given.Path, given.Major, given.Minor)
		}
	}
	n := Node{Path: filepath.Clean(given.Path), Mode: kind | 0o666}
	if kind != unix.S_IFIFO {
		n.Major, n.Minor = uint32(given.Major), uint32(given.Minor)
	}
	if given.FileMode != nil {
		n.Mode = kind | permissions(uint32(*given.FileMode))
	}
	if given.UID != nil {
		n.UID = *given.UID
	}
	if given.GID != nil {
		n.GID = *given.GID
	}
	return n, nil
}

// permissions are the twelve bits of a mode that chmod(2) sets.
func permissions(mode uint32) uint32 { return mode & 0o7777 }

// Make makes the node in the directory dir. EPERM, in a user namespace, means that
// only Bind can. A node that is there already is fine if it is the same device.
//
// The mode is the one it is made with, less the umask, which is to be 0: by a later
// chmod(2) of the name, which follows links, a file of the host's could get the mode, if
// somebody else can write in that directory.
//
//	mknod -m MODE NAME c MAJOR MINOR && chown -h UID:GID NAME
func (n Node) Make(dir int, name string) error {
	number := int(unix.Mkdev(n.Major, n.Minor))
	err := unix.Mknodat(dir, name, n.Mode, number)
	if errors.Is(err, unix.EEXIST) {
		return n.same(dir, name)
	}
	if err != nil {
		return fmt.Errorf("mknod %s %s: %w", n.Path, n.numbers(), err)
	}
	err = unix.Fchownat(dir, name, int(n.UID), int(n.GID), unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("chown %s to %d:%d: %w", n.Path, n.UID, n.GID, err)
	}
	return nil
}

// numbers is the device as mknod(1) takes it.
//
//	c 1 3
func (n Node) numbers() string {
	letter := map[uint32]string{unix.S_IFBLK: "b", unix.S_IFCHR: "c", unix.S_IFIFO: "p"}
	return fmt.Sprintf("%s %d %d", letter[n.Mode&unix.S_IFMT], n.Major, n.Minor)
}

// same refuses a file in the node's place that is anything else.
func (n Node) same(dir int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("stat %s: %w", n.Path, err)
	}
	return n.is(&st, n.Path)
}

// is refuses a file that is not this device.
func (n Node) is(st *unix.Stat_t, path string) error {
	number := unix.Mkdev(n.Major, n.Minor)
	if st.Mode&unix.S_IFMT != n.Mode&unix.S_IFMT ||
		n.Mode&unix.S_IFMT != unix.S_IFIFO && st.Rdev != number {
		return fmt.Errorf("%s is there and is not the device %s: %w",
			path, n.numbers(), unix.EEXIST)
	}
	return nil
}

// Bind puts the host's node of the same path into the directory dir, by a mount on an
// empty file. It is called before pivot_root(2), while the host's /dev is in sight; in
// a user namespace, whose root may not make devices, it is the only way. Owner and mode
// stay the host's.
//
//	touch NAME && mount --bind /dev/null NAME
func (n Node) Bind(dir int, name string) error {
	source, err := n.open()
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(source) }() // a mount that moved needs it no longer
	target, err := n.place(dir, name)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(target) }() // it was opened only to be mounted on
	err = unix.MoveMount(source, "", target, "",
		unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("bind %s: %w", n.Path, err)
	}
	return nil
}

// place opens what the node is mounted on: an empty file, or what is there but no
// directory and no symbolic link, which could lead anywhere. It is not opened for
// reading: to open a device is to use it.
func (n Node) place(dir int, name string) (int, error) {
	const make = unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, make, 0o666)
	if err == nil {
		return fd, nil
	}
	if !errors.Is(err, unix.EEXIST) {
		return -1, fmt.Errorf("make a file for %s: %w", n.Path, err)
	}
	fd, err = unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open the place of %s: %w", n.Path, err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if kind := st.Mode & unix.S_IFMT; err == nil && (kind == unix.S_IFDIR || kind == unix.S_IFLNK) {
		err = unix.EEXIST
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("bind %s: %w", n.Path, err), unix.Close(fd))
	}
	return fd, nil
}

// open opens the host's node as a mount that has no place yet. It must be the device
// that was asked for: a path alone says nothing.
func (n Node) open() (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, n.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open_tree %s: %w", n.Path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, errors.Join(fmt.Errorf("stat %s: %w", n.Path, err), unix.Close(fd))
	}
	if err := n.is(&st, n.Path); err != nil {
		return -1, errors.Join(fmt.Errorf("the host's %w", err), unix.Close(fd))
	}
	return fd, nil
}

// Make makes the link in the directory dir. One that is there already stays, as it
// may be the image's own.
//
//	ln -s TARGET NAME
func (l Link) Make(dir int, name string) error {
	err := unix.Symlinkat(l.Target, dir, name)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("link %s to %s: %w", l.Path, l.Target, err)
	}
	return nil
}

//go:build linux

package inspect

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NSFile is an open namespace: as long as it is open, the namespace exists. See
// ioctl_ns(2).
type NSFile struct {
	Inode uint64
	Kind  string // as in /proc/PID/ns
	file  *os.File
}

// OpenNamespace opens one of a process's namespaces.
func OpenNamespace(pid int, kind string) (*NSFile, error) {
	return OpenNamespaceFile(fmt.Sprintf("/proc/%d/ns/%s", pid, kind), kind)
}

// OpenNamespaceFile opens a namespace by any name that it has, such as the one
// that ip-netns(8) gives it.
func OpenNamespaceFile(path, kind string) (*NSFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return newNSFile(file, kind)
}

// newNSFile asks an open namespace for its inode number.
func newNSFile(file *os.File, kind string) (*NSFile, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, errors.Join(fmt.Errorf("fstat %s: %w", file.Name(), err), file.Close())
	}
	return &NSFile{Inode: st.Ino, Kind: kind, file: file}, nil
}

// Close gives the namespace up.
func (n *NSFile) Close() error { return n.file.Close() }

// Owner opens the user namespace that this namespace belongs to: who has
// capabilities there has them over this namespace. A user namespace's owner is
// its parent. It is EPERM where that lies outside of the caller's.
func (n *NSFile) Owner() (*NSFile, error) {
	return n.ask(unix.NS_GET_USERNS, "NS_GET_USERNS", "user")
}

// Parent opens the namespace around this one; only pid and user namespaces have
// one. It is EPERM where that lies outside of the caller's.
func (n *NSFile) Parent() (*NSFile, error) {
	return n.ask(unix.NS_GET_PARENT, "NS_GET_PARENT", n.Kind)
}

// ask opens a namespace that is related to this one.
func (n *NSFile) ask(request uint, name, kind string) (*NSFile, error) {
	fd, err := unix.IoctlRetInt(int(n.file.Fd()), request)
	if err != nil {
		return nil, fmt.Errorf("ioctl %s %s: %w", name, n.file.Name(), err)
	}
	return newNSFile(os.NewFile(uintptr(fd), kind+" namespace"), kind)
}

// Maker returns the user who made a user namespace: root of it, seen from
// outside, whatever its maps say.
func (n *NSFile) Maker() (int, error) {
	uid, err := unix.IoctlGetUint32(int(n.file.Fd()), unix.NS_GET_OWNER_UID)
	if err != nil {
		return 0, fmt.Errorf("ioctl NS_GET_OWNER_UID %s: %w", n.file.Name(), err)
	}
	return int(uid), nil
}

//go:build linux

package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// playUnionfs changes a file, deletes one, and shows where that went.
func playUnionfs(ctx context.Context, s *stage) error {
	upper := filepath.Join(s.dir, "upper")
	if err := os.Mkdir(upper, 0o755); err != nil {
		return err
	}
	motd := filepath.Join(s.Root, "etc", "motd")
	before, err := os.ReadFile(motd)
	if err != nil {
		return err
	}
	err = s.hold(ctx, true, "echo changed >>/etc/motd; rm /etc/os-release",
		"-lower", s.Root, "-upper", upper)
	if err != nil {
		return err
	}
	host, errHost := rootType(os.Getpid())
	kind, errKind := rootType(s.held.PID)
	after, errAfter := os.ReadFile(motd)
	path := fmt.Sprintf("/proc/%d/root/etc/motd", s.held.PID)
	inside, errInside := os.ReadFile(path)
	if err := errors.Join(errHost, errKind, errAfter, errInside); err != nil {
		return err
	}
	// The host's may be one itself, where the host is a container.
	s.demand("/ is of type", host, kind, fmt.Sprintf("findmnt -N %d /", s.held.PID),
		kind == "overlay", "it is no overlay")
	s.demand("bytes in lower motd", fmt.Sprint(len(before)), fmt.Sprint(len(after)),
		"wc -c "+motd, string(after) == string(before), "the lower layer was changed")
	s.demand("bytes in /etc/motd", fmt.Sprint(len(after)), fmt.Sprint(len(inside)),
		"wc -c "+path, string(inside) == string(before)+"changed\n", "it is not what was written")
	s.copyUp(upper)
	s.whiteout(filepath.Join(upper, "etc", "os-release"))
	return nil
}

// copyUp shows what the upper layer holds.
func (s *stage) copyUp(upper string) {
	names := entries(filepath.Join(upper, "etc"))
	s.demand("upper layer's /etc", "", strings.Join(names, " "), "ls "+upper+"/etc",
		slices.Contains(names, "motd"), "the changed file was not copied up")
}

// whiteout shows the device that stands for a deleted file.
func (s *stage) whiteout(path string) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		s.show("deleted file", "", "nothing", "ls -l "+path, err.Error())
		return
	}
	kind := "no device"
	if st.Mode&unix.S_IFMT == unix.S_IFCHR {
		kind = "character device"
	}
	s.demand("deleted file", "", fmt.Sprintf("%s %d:%d", kind, unix.Major(st.Rdev),
		unix.Minor(st.Rdev)), "ls -l "+path,
		kind == "character device" && st.Rdev == 0, "it is no whiteout")
}

// rootType returns the file system type of a process's root, which it does not
// see where chroot(2) has put it below its mount.
func rootType(pid int) (string, error) {
	mounts, err := inspect.Mounts(pid)
	for _, m := range slices.Backward(mounts) {
		if m.Mountpoint == "/" {
			return m.FSType, nil
		}
	}
	return "unknown", err
}

// playVolumes writes a file inside and finds it outside.
func playVolumes(ctx context.Context, s *stage) error {
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return err
	}
	before, err := countMounts(os.Getpid(), "/mnt")
	if err != nil {
		return err
	}
	err = s.hold(ctx, true, "echo hello >/mnt/made-inside", "-rootfs", s.Root, "-v", data+":/mnt")
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/proc/%d/root/mnt/made-inside", s.held.PID)
	outside := fileID(filepath.Join(data, "made-inside"))
	within := fileID(path)
	s.demand("file is device:inode", outside, within, "stat "+path,
		outside == within && within != "none", "it is not the host's")
	after, errAfter := countMounts(os.Getpid(), "/mnt")
	own, errOwn := countMounts(s.held.PID, "/mnt")
	if err := errors.Join(errAfter, errOwn); err != nil {
		return err
	}
	fault := ""
	switch {
	case own != 1:
		fault = "the volume is not mounted"
	case after != before:
		fault = "it is mounted on the host, too"
	}
	s.show("mounts on /mnt", fmt.Sprint(after), fmt.Sprint(own),
		fmt.Sprintf("grep ' /mnt ' /proc/%d/mountinfo", s.held.PID), fault)
	return s.namespace("mnt", true)
}

// fileID returns what tells a file from all others.
func fileID(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return "none"
	}
	return fmt.Sprintf("%x:%d", st.Dev, st.Ino)
}

// countMounts counts the mounts that a process sees at a path.
func countMounts(pid int, point string) (count int, err error) {
	mounts, err := inspect.Mounts(pid)
	for _, m := range mounts {
		if m.Mountpoint == point {
			count++
		}
	}
	return count, err
}

// playUser shows one process's two identities.
func playUser(ctx context.Context, s *stage) error {
	if err := s.hold(ctx, true, "", "-user", "-rootfs", s.Root); err != nil {
		return err
	}
	st, errStatus := inspect.ReadStatus(s.held.PID)
	maps, errMap := inspect.IDMap(s.held.PID, "uid")
	ours, errOurs := inspect.IDMap(os.Getpid(), "uid")
	if err := errors.Join(errStatus, errMap, errOurs); err != nil {
		return err
	}
	// As root of a user namespace itself, the reader is told the ids of that.
	host, inside := outside(ours, st.UID[1]), through(maps, st.UID[1])
	fault := ""
	switch {
	case inside != "0":
		fault = "it is not root inside"
	case host == 0:
		fault = "root inside is root outside, too"
	}
	path := fmt.Sprintf("/proc/%d/", s.held.PID)
	s.show("uid", fmt.Sprint(host), inside, "cat "+path+"uid_map", fault)
	denied := fileText(path + "setgroups")
	s.demand("setgroups", fileText("/proc/self/setgroups"), denied, "cat "+path+"setgroups",
		denied == "deny", "root inside can leave its groups")
	s.show("uids that exist", fmt.Sprint(mapped(ours)), fmt.Sprint(mapped(maps)),
		"cat "+path+"uid_map", "")
	return s.namespace("user", true)
}

// outside turns an id of this user namespace into the one it is above.
func outside(maps []inspect.Mapping, id int) int {
	for _, m := range maps {
		if id >= m.Inside && id < m.Inside+m.Size {
			return m.Outside + id - m.Inside
		}
	}
	return id
}

// through turns an id of the host into the one it is inside.
func through(maps []inspect.Mapping, id int) string {
	for _, m := range maps {
		if id >= m.Outside && id < m.Outside+m.Size {
			return fmt.Sprint(m.Inside + id - m.Outside)
		}
	}
	return "none"
}

// mapped counts the ids that a user namespace has.
func mapped(maps []inspect.Mapping) (count int) {
	for _, m := range maps {
		count += m.Size
	}
	return count
}

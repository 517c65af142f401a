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
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// pause waits between two looks.
func pause() { time.Sleep(5 * time.Millisecond) }

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
	m, err := rootMount(s.held.PID)
	if err != nil {
		return err
	}
	s.differs("/ is of type", hostType(os.Getpid()), m, fmt.Sprintf("findmnt -N %d /", s.held.PID))
	after, errAfter := os.ReadFile(motd)
	inside, errInside := os.ReadFile(fmt.Sprintf("/proc/%d/root/etc/motd", s.held.PID))
	if err := errors.Join(errAfter, errInside); err != nil {
		return err
	}
	fault := ""
	if string(after) != string(before) {
		fault = "the lower layer was changed"
	}
	s.show("bytes in lower motd", fmt.Sprint(len(before)), fmt.Sprint(len(after)),
		"wc -c "+motd, fault)
	s.differs("bytes in /etc/motd", fmt.Sprint(len(after)), fmt.Sprint(len(inside)),
		fmt.Sprintf("wc -c /proc/%d/root/etc/motd", s.held.PID))
	s.copyUp(upper)
	s.whiteout(filepath.Join(upper, "etc", "os-release"))
	return nil
}

// copyUp shows what the upper layer holds.
func (s *stage) copyUp(upper string) {
	names := entries(filepath.Join(upper, "etc"))
	fault := ""
	if !slices.Contains(names, "motd") {
		fault = "the changed file was not copied up"
	}
	s.show("upper layer's /etc", "", strings.Join(names, " "), "ls "+upper+"/etc", fault)
}

// whiteout shows the device that stands for a deleted file.
func (s *stage) whiteout(path string) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		s.show("deleted file", "", "nothing", "ls -l "+path, err.Error())
		return
	}
	fault := ""
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
		fault = "it is no whiteout"
	}
	s.show("deleted file", "", fmt.Sprintf("character device %d:%d", unix.Major(st.Rdev),
		unix.Minor(st.Rdev)), "ls -l "+path, fault)
}

// rootMount returns the file system type of a process's root.
func rootMount(pid int) (string, error) {
	mounts, err := inspect.Mounts(pid)
	if err != nil {
		return "", err
	}
	for _, m := range slices.Backward(mounts) {
		if m.Mountpoint == "/" {
			return m.FSType, nil
		}
	}
	return "unknown", nil
}

// hostType is rootMount for the host, whose root may be out of sight.
func hostType(pid int) string {
	kind, err := rootMount(pid)
	if err != nil {
		return "unknown"
	}
	return kind
}

// playVolumes writes a file inside and finds it outside.
func playVolumes(ctx context.Context, s *stage) error {
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return err
	}
	err := s.hold(ctx, true, "echo hello >/mnt/made-inside", "-rootfs", s.Root, "-v", data+":/mnt")
	if err != nil {
		return err
	}
	var host, inside unix.Stat_t
	path := fmt.Sprintf("/proc/%d/root/mnt/made-inside", s.held.PID)
	err = errors.Join(unix.Stat(filepath.Join(data, "made-inside"), &host),
		unix.Stat(path, &inside))
	if err != nil {
		return err
	}
	s.equals("inode of the file", fmt.Sprint(host.Ino), fmt.Sprint(inside.Ino), "stat -c %i "+path)
	outside, errOutside := countMounts(os.Getpid(), "/mnt")
	within, errWithin := countMounts(s.held.PID, "/mnt")
	if err := errors.Join(errOutside, errWithin); err != nil {
		return err
	}
	s.differs("mounts on /mnt", fmt.Sprint(outside), fmt.Sprint(within),
		fmt.Sprintf("grep ' /mnt ' /proc/%d/mountinfo", s.held.PID))
	return s.namespace("mnt", true)
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
	if err := errors.Join(errStatus, errMap); err != nil {
		return err
	}
	fault := ""
	if st.UID[1] == 0 {
		fault = "root inside is root outside, too"
	}
	path := fmt.Sprintf("/proc/%d/", s.held.PID)
	s.show("uid", fmt.Sprint(st.UID[1]), through(maps, st.UID[1]), "cat "+path+"uid_map", fault)
	s.differs("setgroups", fileText("/proc/self/setgroups"), fileText(path+"setgroups"),
		"cat "+path+"setgroups")
	s.show("uids that exist", "", fmt.Sprint(mapped(maps)), "cat "+path+"uid_map", "")
	return s.namespace("user", true)
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

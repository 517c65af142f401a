//go:build linux

package check

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// mounting are the calls that change mounts.
var mounting = []string{"mount", "move_mount", "mount_setattr", "pivot_root", "umount2"}

// noRootCause knows why a child did not get to its root.
func noRootCause(s *Subject, r *remains) bool {
	if !slices.Contains(r.held.flags, "-rootfs") {
		return false
	}
	mounts, err := inspect.Mounts(r.child)
	if err != nil {
		return false
	}
	look := "grep shared /proc/self/mountinfo"
	lost := r.status == 127 && isRoot(r.child, "/")
	if same, err := sameNamespace(r.child, "mnt"); !lost && (err != nil || same) {
		return err == nil && r.refused("EINVAL EBUSY", mounting...) && r.names("no-clone-newns",
			"The child is in the host's mount namespace: it was cloned without CLONE_NEWNS.",
			"readlink /proc/self/ns/mnt")
	}
	if isRoot(r.child, s.Root) {
		return r.refused("EBUSY", "umount2", "umount") && r.names("umount-busy",
			"The root is the new one, and the old one is in use, by its own mounts: "+
				"only umount2(2) with MNT_DETACH takes it off.",
			"man 2 umount2")
	}
	if r.refused("EINVAL EBUSY", mounting...) {
		return r.refusedPivot(mounts, s.Root, look)
	}
	if r.refused("ENOENT", "pivot_root") {
		return r.names("put-old-missing", "pivot_root(2) needs a directory for the old root, "+
			"below the new one, and it is not there: make it first, or give \".\" twice.",
			"man 2 pivot_root")
	}
	return lost && r.names("root-not-changed", "The child looked for the command in "+
		"the host's root: nothing changed its own to the given directory.",
		"ls "+shellLine([]string{s.Root}))
}

// refusedPivot reads from the child's mounts why pivot_root(2) was refused: the new
// root has to be a mount, and neither that nor the one above may be shared.
//
//	27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
func (r *remains) refusedPivot(mounts []*mountinfo.Info, root, look string) bool {
	at := func(point string) *mountinfo.Info {
		for _, m := range slices.Backward(mounts) {
			if m.Mountpoint == point {
				return m
			}
		}
		return nil
	}
	shared := func(m *mountinfo.Info) bool {
		return m != nil && strings.Contains(m.Optional, "shared:")
	}
	m := at(root)
	if m == nil {
		return r.names("root-not-a-mount", "pivot_root(2) exchanges mounts, and the new root is a "+
			"directory like any other: bind it onto itself first.",
			"findmnt "+shellLine([]string{root}))
	}
	var above *mountinfo.Info
	for _, p := range mounts {
		if p.ID == m.Parent {
			above = p
		}
	}
	if !shared(m) && !shared(above) {
		return false
	}
	for _, p := range []*mountinfo.Info{m, above} {
		if shared(p) {
			r.f.Kernel += fmt.Sprintf("; in its namespace %s is %s", p.Mountpoint,
				strings.TrimSpace(p.Optional))
			break
		}
	}
	if shared(at("/")) {
		return r.names("root-left-shared", "The child's mounts are still peers of the host's, and "+
			"pivot_root(2) refuses a shared one: make / private, recursively, before anything "+
			"else.",
			look)
	}
	return r.names("private-not-recursive", "The mount on / is private, those below it are still "+
		"shared with the host: MS_PRIVATE needs MS_REC beside it.", look)
}

// isRoot reports whether a directory is the root of a process: the same inode of the
// same device, for names can lie.
func isRoot(pid int, dir string) bool {
	var want, got unix.Stat_t
	return unix.Stat(dir, &want) == nil &&
		unix.Stat(fmt.Sprintf("/proc/%d/root/", pid), &got) == nil &&
		want.Dev == got.Dev && want.Ino == got.Ino
}

// sameNamespace reports whether a process is in our namespace of a kind.
func sameNamespace(pid int, kind string) (bool, error) {
	ours, err := inspect.Namespace(os.Getpid(), kind)
	if err != nil {
		return false, err
	}
	theirs, err := inspect.Namespace(pid, kind)
	return ours == theirs, err
}

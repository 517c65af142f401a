//go:build linux

package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// learnerDir makes the test binary the learner's program: it works in that
// directory and runs no test.
const learnerDir = "LAB_TRACE_LEARNER"

// learn makes every kind of call that a container can be made of, each with
// arguments that can be told apart. Some fail, for an ordinary user more of them:
// that is told, too.
func learn(dir string) {
	runtime.LockOSThread()
	for _, stage := range []func(string){confine, nodes, newMounts, oldMounts, identify} {
		stage(dir)
	}
	becomeFromAnotherThread()
}

// rawCall makes one call, whatever it returns.
func rawCall(number uintptr, args ...any) {
	var a [6]uintptr
	var keep []any
	for i, value := range args {
		switch v := value.(type) {
		case int:
			a[i] = uintptr(v)
		case string:
			text := append([]byte(v), 0)
			keep = append(keep, text)
			a[i] = uintptr(unsafe.Pointer(&text[0]))
		case []uint64:
			keep = append(keep, v)
			a[i] = uintptr(unsafe.Pointer(&v[0]))
		case []uint32:
			keep = append(keep, v)
			a[i] = uintptr(unsafe.Pointer(&v[0]))
		}
	}
	_, _, _ = unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	runtime.KeepAlive(keep)
}

// confine asks for namespaces and names.
func confine(dir string) {
	rawCall(unix.SYS_UNSHARE, unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC)
	rawCall(unix.SYS_UNSHARE, unix.CLONE_FS)
	rawCall(unix.SYS_UNSHARE, 1<<40) // nobody has it
	rawCall(unix.SYS_SETHOSTNAME, "a \"name\"\n\t\001\0017", 13)
	rawCall(unix.SYS_SETDOMAINNAME, "domain", 6)
	rawCall(unix.SYS_SETHOSTNAME, 1, 4) // a wild pointer
	rawCall(unix.SYS_SETNS, -1, unix.CLONE_NEWNET)
	rawCall(unix.SYS_CHROOT, dir+"/nowhere")
	rawCall(unix.SYS_PIVOT_ROOT, dir+"/new", dir+"/old")
}

// newMounts uses the newer calls for mounts.
func newMounts(dir string) {
	rawCall(unix.SYS_MOUNT, "none", "/", 0, unix.MS_REC|unix.MS_PRIVATE, 0)
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err == nil {
		rawCall(unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, "size", "64k", 0)
		rawCall(unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_FLAG, "ro", 0, 0)
		rawCall(unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, 0, 0, 0)
		mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC,
			unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID)
		if err == nil {
			rawCall(unix.SYS_MOVE_MOUNT, mount, "", unix.AT_FDCWD, dir,
				unix.MOVE_MOUNT_F_EMPTY_PATH)
		}
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	if err == nil {
		attr := []uint64{unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOEXEC, 0, unix.MS_SLAVE, 0}
		rawCall(unix.SYS_MOUNT_SETATTR, tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr, 32)
	}
	rawCall(unix.SYS_FSPICK, unix.AT_FDCWD, dir, unix.FSPICK_CLOEXEC)
}

// oldMounts uses mount(2) for all it can do, and writes settings.
func oldMounts(dir string) {
	for _, m := range []struct {
		flags int
		data  any
	}{
		{unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RELATIME, "size=64k,mode=700"},
		{unix.MS_BIND | unix.MS_REC, 0},
		{unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY, "ignored"},
		{unix.MS_MOVE, 0},
		{unix.MS_SHARED, 0},
		{unix.MS_UNBINDABLE | unix.MS_REC, 0},
		{0xc0ed0000 | unix.MS_SYNCHRONOUS, 0},
	} {
		rawCall(unix.SYS_MOUNT, "tmpfs", dir, "tmpfs", m.flags, m.data)
	}
	rawCall(unix.SYS_MOUNT, "overlay", dir, "overlay", 0,
		"lowerdir="+strings.Repeat("/a/very/long/name:", 20)) // cut where it is shown
	rawCall(unix.SYS_UMOUNT2, dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	for _, file := range []string{"oom_score_adj", "setgroups", "uid_map", "comm"} {
		_ = os.WriteFile("/proc/self/"+file, []byte("0 0 1\n"), 0) // told, whatever comes of it
	}
}

// nodes makes files and devices.
func nodes(dir string) {
	for _, mode := range []int{
		unix.S_IFCHR | 0o666, unix.S_IFBLK | 0o600, unix.S_IFIFO | 0o644, unix.S_IFREG, 0o644,
	} {
		file := filepath.Join(dir, fmt.Sprint("node", mode))
		rawCall(unix.SYS_MKNODAT, unix.AT_FDCWD, file, mode, int(unix.Mkdev(1, 3)))
		_ = unix.Unlink(file) // the second run finds what the first did
	}
}

// identify gives up privileges, as far as they can be given up again and again.
func identify(string) {
	for _, p := range [][]any{
		{unix.PR_SET_PDEATHSIG, int(unix.SIGUSR1)},
		{unix.PR_SET_PDEATHSIG, 0},
		{unix.PR_SET_DUMPABLE, 1},
		{unix.PR_SET_KEEPCAPS, 1},
		{unix.PR_SET_SECUREBITS, 0x3},
		{unix.PR_SET_CHILD_SUBREAPER, 1},
		{unix.PR_CAPBSET_DROP, unix.CAP_SYS_MODULE},
		{unix.PR_CAPBSET_DROP, 63},
		{unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0},
		{unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_CHOWN, 0, 0},
		{unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0},
	} {
		rawCall(unix.SYS_PRCTL, p...)
	}
	rawCall(unix.SYS_SETGROUPS, 3, []uint32{4, 5, 6})
	rawCall(unix.SYS_SETGROUPS, 0, 0)
	rawCall(unix.SYS_SETRESUID, -1, -1, -1)
	rawCall(unix.SYS_SETREGID, -1, 0)
	header := []uint32{unix.LINUX_CAPABILITY_VERSION_3, 0}
	rawCall(unix.SYS_CAPSET, header, []uint32{1, 3, 0, 0, 1, 0})
	rawCall(unix.SYS_CAPSET, header, 1) // a wild pointer
	rawCall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, []uint32{unix.SECCOMP_RET_LOG})
	rawCall(unix.SYS_SECCOMP, 77, 1, 0)

	// A filter that refuses one call, and that call: EPERM goes before the stop.
	refuse := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SETDOMAINNAME, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := &unix.SockFprog{Len: uint16(len(refuse)), Filter: &refuse[0]}
	_, _, _ = unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(filter)))
	rawCall(unix.SYS_SETDOMAINNAME, "refused", 7)
}

// becomeFromAnotherThread executes a program from a thread that is not the first:
// it takes over the process's number, and all the others vanish.
func becomeFromAnotherThread() {
	failed := make(chan error)
	for range 4 {
		go func() {
			runtime.LockOSThread()
			select {} // a thread that is in the way
		}()
	}
	go func() {
		runtime.LockOSThread()
		failed <- syscall.Exec("/bin/sh", []string{"sh", "-c", "exit 42"}, os.Environ())
	}()
	fmt.Fprintln(os.Stderr, <-failed)
	os.Exit(1)
}

// TestLearnerAsStrace compares what both say of a program that makes all calls.
func TestLearnerAsStrace(t *testing.T) {
	need.Sandbox(t)
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(learnerDir, t.TempDir())
	calls := sameAsStrace(t, self)
	text := strings.Join(calls["0"], "\n")
	for _, sign := range []string{
		"unshare(", "fsconfig(", "mount_setattr(", "mknodat(", "capset(", "seccomp(",
		"= -1 EACCES", "exited with 42",
	} {
		assert.Contains(t, text, sign)
	}
}

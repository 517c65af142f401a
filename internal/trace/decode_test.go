//go:build linux

package trace

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pretended is memory of a process that is not there: bytes at an address.
type pretended struct {
	at    uint64
	bytes []byte
}

// read reads as far as there are bytes.
func (p *pretended) read(addr uint64, into []byte) int {
	if addr < p.at || addr >= p.at+uint64(len(p.bytes)) {
		return 0
	}
	return copy(into, p.bytes[addr-p.at:])
}

// put adds bytes and returns their address.
func (p *pretended) put(bytes []byte) uint64 {
	addr := p.at + uint64(len(p.bytes))
	p.bytes = append(p.bytes, bytes...)
	return addr
}

// value puts what a test gives for an argument where the kernel would find it.
func (p *pretended) value(v any) uint64 {
	switch v := v.(type) {
	case int:
		return uint64(v)
	case string:
		return p.put(append([]byte(v), 0))
	case []string:
		var pointers []uint64
		for _, s := range v {
			pointers = append(pointers, p.value(s))
		}
		return p.value(append(pointers, 0))
	case []uint64:
		var raw []byte
		for _, n := range v {
			raw = binary.NativeEndian.AppendUint64(raw, n)
		}
		return p.put(raw)
	case []uint32:
		var raw []byte
		for _, n := range v {
			raw = binary.NativeEndian.AppendUint32(raw, n)
		}
		return p.put(raw)
	}
	return 0
}

// files are what descriptors lead to in these tests.
func files(fd int) string {
	return map[int]string{
		3: "/proc/4711/uid_map", 4: "/sys/fs/cgroup/web/cgroup.procs",
		5: "/sys/fs/cgroup/web/memory.max", 6: "/proc/4711/ns/net", 7: "net:[4026532008]",
		8: "/proc/sys/net/ipv4/ip_forward", 9: "/sys/fs/cgroup/web/cgroup.subtree_control",
		10: "/bad\x1b[31m/path", 11: "/proc/4711/setgroups",
	}[fd]
}

// decoded makes a call of amd64 from a name and arguments, with a result.
func decoded(t testing.TB, name string, result int64, args ...any) *Call {
	t.Helper()
	table := newTable()
	number := slices.Index(namesAMD64[:], name)
	require.GreaterOrEqual(t, number, 0, name)
	m := &pretended{at: 0x7f0000000000}
	info := syscallInfo{Op: atEntry, Arch: unix.AUDIT_ARCH_X86_64}
	info.Data[0] = uint64(number)
	for i, a := range args {
		info.Data[i+1] = m.value(a)
	}
	d := &decoder{table: table, mem: m, path: files}
	c := table.newCall(info)
	d.decode(c)
	exit := syscallInfo{Op: atExit}
	exit.Data[0] = uint64(result)
	if result < 0 {
		exit.Data[1] = 1
	}
	c.finish(exit)
	d.decodeResults(c)
	return c
}

// spoken are calls with what is to be said of them.
var spoken = []struct {
	name   string
	result int64
	args   []any
	text   string
	phrase string
	shell  string
}{
	{
		"unshare", 0,
		[]any{unix.CLONE_NEWUTS | unix.CLONE_NEWNS},
		"unshare(CLONE_NEWNS|CLONE_NEWUTS) = 0",
		"gets its own host name and mounts", "unshare --uts --mount",
	},
	{
		"unshare", 0,
		[]any{unix.CLONE_NEWPID},
		"unshare(CLONE_NEWPID) = 0",
		"gets own process numbers for its children", "unshare --pid --fork",
	},
	{
		"unshare", -int64(unix.EPERM),
		[]any{unix.CLONE_NEWNET},
		"unshare(CLONE_NEWNET) = -1 EPERM (Operation not permitted)",
		"could not get its own network: operation not permitted; that takes root, or a " +
			"user namespace with it", "unshare --net",
	},
	{
		"setns", 0,
		[]any{6, unix.CLONE_NEWNET},
		"setns(6</proc/4711/ns/net>, CLONE_NEWNET) = 0",
		"enters another namespace (network): /proc/4711/ns/net",
		"nsenter --net=/proc/4711/ns/net",
	},
	{
		"setns", 0,
		[]any{7, 0},
		"setns(7<net:[4026532008]>, 0) = 0",
		"enters another namespace (network): net:[4026532008]",
		"nsenter '--net=net:[4026532008]'",
	},
	{
		"mount", 0,
		[]any{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV, 0},
		`mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV, NULL) = 0`,
		"mounts a view of its pid namespace's processes (proc) on /proc",
		"mount -t proc -o nosuid,nodev proc /proc",
	},
	{
		"mount", 0,
		[]any{"none", "/", 0, unix.MS_REC | unix.MS_PRIVATE, 0},
		`mount("none", "/", NULL, MS_REC|MS_PRIVATE, NULL) = 0`,
		"makes the mounts from / down private; no mount event passes in or out any more",
		"mount --make-rprivate /",
	},
	{
		"mount", 0,
		[]any{"/a b", "/c", 0, unix.MS_BIND, 0},
		`mount("/a b", "/c", NULL, MS_BIND, NULL) = 0`,
		"shows /a b at /c as well", "mount --bind '/a b' /c",
	},
	{
		"mount", 0,
		[]any{0, "/c", 0, unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY, 0},
		`mount(NULL, "/c", NULL, MS_RDONLY|MS_REMOUNT|MS_BIND, NULL) = 0`,
		"changes the options of /c", "mount -o remount,ro,bind /c",
	},
	{
		"mount", 0,
		[]any{"overlay", "/m", "overlay", 0, "lowerdir=/l,upperdir=/u,workdir=/w"},
		`mount("overlay", "/m", "overlay", 0, "lowerdir=/l,upperdir=/u,workdir=/w") = 0`,
		"mounts layers as one tree (overlay) on /m",
		"mount -t overlay -o lowerdir=/l,upperdir=/u,workdir=/w overlay /m",
	},
	{
		"umount2", 0,
		[]any{"/old", unix.MNT_DETACH},
		`umount2("/old", MNT_DETACH) = 0`,
		"unmounts /old; what still uses it keeps it", "umount -l /old",
	},
	{
		"pivot_root", 0,
		[]any{".", "."},
		`pivot_root(".", ".") = 0`,
		"makes . the root of its mount namespace; the old root lies on top of it until it " +
			"is unmounted", "pivot_root . .",
	},
	{
		"chroot", 0,
		[]any{"/r"},
		`chroot("/r") = 0`,
		"takes /r for /; its mount namespace keeps the old root", "chroot /r",
	},
	{
		"sethostname", 0,
		[]any{"x\"y", 3},
		`sethostname("x\"y", 3) = 0`,
		`sets the host name to x"y`, `hostname 'x"y'`,
	},
	{
		"write", 9,
		[]any{3, "0 1000 1\n", 9},
		`write(3</proc/4711/uid_map>, "0 1000 1\n", 9) = 9`,
		"maps users: 0 inside is 1000 outside", "echo '0 1000 1' > /proc/4711/uid_map",
	},
	{
		"write", 4,
		[]any{11, "deny", 4},
		`write(11</proc/4711/setgroups>, "deny", 4) = 4`,
		"forbids setgroups(2) in the user namespace", "echo deny > /proc/4711/setgroups",
	},
	{
		"write", 4,
		[]any{4, "4711", 4},
		`write(4</sys/fs/cgroup/web/cgroup.procs>, "4711", 4) = 4`,
		"puts process 4711 into the cgroup /sys/fs/cgroup/web",
		"echo 4711 > /sys/fs/cgroup/web/cgroup.procs",
	},
	{
		"write", 8,
		[]any{5, "31457280", 8},
		`write(5</sys/fs/cgroup/web/memory.max>, "31457280", 8) = 8`,
		"limits memory to 30 MiB in the cgroup /sys/fs/cgroup/web",
		"echo 31457280 > /sys/fs/cgroup/web/memory.max",
	},
	{
		"write", 1,
		[]any{8, "1", 1},
		`write(8</proc/sys/net/ipv4/ip_forward>, "1", 1) = 1`,
		"sets the kernel setting net.ipv4.ip_forward=1", "sysctl -w net.ipv4.ip_forward=1",
	},
	{
		"write", -int64(unix.EBUSY),
		[]any{9, "+cpu", 4},
		`write(9</sys/fs/cgroup/web/cgroup.subtree_control>, "+cpu", 4) = -1 EBUSY ` +
			`(Device or resource busy)`,
		"could not hand +cpu to the cgroups below /sys/fs/cgroup/web: device or resource " +
			"busy; a cgroup with processes in it hands out no controllers",
		"echo +cpu > /sys/fs/cgroup/web/cgroup.subtree_control",
	},
	{
		"prctl", 0,
		[]any{unix.PR_SET_NO_NEW_PRIVS, 1},
		"prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) = 0",
		"gives up privileges by execve: set-user-ID no longer counts; this cannot be undone",
		"setpriv --no-new-privs",
	},
	{
		"prctl", 0,
		[]any{unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN},
		"prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) = 0",
		"drops sys_admin from the bounding set: no program can give it back",
		"setpriv --bounding-set -sys_admin",
	},
	{
		"capset", 0,
		[]any{[]uint32{unix.LINUX_CAPABILITY_VERSION_3, 0}, []uint32{1, 3, 0, 0, 256, 0}},
		"capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN, " +
			"permitted=1<<CAP_CHOWN|1<<CAP_DAC_OVERRIDE|1<<CAP_CHECKPOINT_RESTORE, " +
			"inheritable=0}) = 0",
		"keeps 3 of 41 capabilities: chown, dac_override and checkpoint_restore; 1 of them " +
			"take effect", "",
	},
	{
		"mknodat", 0,
		[]any{unix.AT_FDCWD, "/dev/null", unix.S_IFCHR | 0o666, 0x103},
		`mknodat(AT_FDCWD, "/dev/null", S_IFCHR|0666, makedev(0x1, 0x3)) = 0`,
		"makes the character device /dev/null", "mknod /dev/null c 1 3",
	},
	{
		"setresuid", 0,
		[]any{-1, 1000, -1},
		"setresuid(-1, 1000, -1) = 0",
		"becomes user 1000", "setpriv --reuid 1000",
	},
	{
		"setgroups", 0,
		[]any{0, 0},
		"setgroups(0, NULL) = 0",
		"leaves all supplementary groups", "setpriv --clear-groups",
	},
	{
		"execve", -int64(unix.ENOENT),
		[]any{"/x", []string{"x", "a b"}, []string{}},
		`execve("/x", ["x", "a b"], 0x7f0000000021 /* 0 vars */) = -1 ENOENT ` +
			`(No such file or directory)`,
		"could not become the program /x: no such file or directory; the file is not there, " +
			"or its interpreter is not", "exec x 'a b'",
	},
	{
		"write", 1,
		[]any{10, "x", 1},
		`write(10</bad?[31m/path>, "x", 1) = 1`,
		`writes "x" to /bad?[31m/path`, `echo x > $'/bad\33[31m/path'`,
	},
	{
		"mount", -514,
		[]any{"a", "b", "c", 0, 0},
		`mount("a", "b", "c", 0, NULL) = ` +
			`? ERESTARTNOHAND (To be restarted)`,
		"was interrupted by a signal; the kernel makes the call again", "",
	},
}

// A call as strace prints it, in words, and as a shell command.
func TestWords(t *testing.T) {
	for _, tt := range spoken {
		t.Run(tt.text, func(t *testing.T) {
			c := decoded(t, tt.name, tt.result, tt.args...)
			phrase, shell := c.Words(&process{pid: 4711})
			assert.Equal(t, tt.text, c.Text()+" = "+c.Result())
			assert.Equal(t, tt.phrase, phrase)
			assert.Equal(t, tt.shell, shell)
		})
	}
}

// What cannot be read is shown as a pointer, and never more than there is.
func TestUnreadable(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []any
		text string
	}{
		{"execve", []any{16, 32, 48}, "execve(0x10, 0x20, 0x30)"},
		{"execve", []any{0, 0, 0}, "execve(NULL, NULL, NULL)"},
		{"clone3", []any{16, 88}, "clone3(0x10, 88)"},
		{"clone3", []any{[]uint64{1, 2}, 16}, "clone3(0x7f0000000000, 16)"},
		{"capset", []any{16, 32}, "capset(0x10, 0x20)"},
		{"mount_setattr", []any{1, 16, 0, 32, 32}, "mount_setattr(1, 0x10, 0, 0x20, 32)"},
		{"seccomp", []any{1, 0, 16}, "seccomp(SECCOMP_SET_MODE_FILTER, 0, 0x10)"},
		{"setgroups", []any{1 << 30, 16}, "setgroups(1073741824, 0x10)"},
		{"sethostname", []any{"abc", 1 << 40}, "sethostname(0x7f0000000000, 1099511627776)"},
		{"writev", []any{1, 16, 1 << 30}, "writev(1, 0x10, 1073741824)"},
		{"setns", []any{-1, 1}, "setns(-1, 0x1 /* CLONE_??? */)"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			assert.Equal(t, tt.text, decoded(t, tt.name, 0, tt.args...).Text())
		})
	}
}

// Long strings and lists are cut where strace cuts them.
func TestCut(t *testing.T) {
	long := strings.Repeat("x", longest+1)
	c := decoded(t, "fsopen", 3, long, 0)
	assert.Equal(t, `fsopen("`+long[1:]+`"..., 0)`, c.Text())
	c = decoded(t, "execve", 0, "/x", slices.Repeat([]string{"a"}, longest+1), 0)
	assert.Contains(t, c.Text(), `"a", ...], NULL)`)
	c = decoded(t, "fsopen", 3, long[1:], 0)
	assert.Equal(t, `fsopen("`+long[1:]+`", 0)`, c.Text())
}

// A 32-bit program's call is known by its own number, and its pointers are short.
func TestOtherABI(t *testing.T) {
	table := newTable()
	m := &pretended{at: 0x1000}
	name := m.value("host")
	for arch, number := range map[uint32]uint64{
		unix.AUDIT_ARCH_I386: 74, unix.AUDIT_ARCH_ARM: 74, unix.AUDIT_ARCH_AARCH64: 161,
		unix.AUDIT_ARCH_X86_64: 170,
	} {
		info := syscallInfo{Arch: arch}
		info.Data = [8]uint64{number, name, 4}
		c := table.newCall(info)
		(&decoder{table: table, mem: m}).decode(c)
		assert.Equal(t, `sethostname("host", 4)`, c.Text())
		short := arch == unix.AUDIT_ARCH_I386 || arch == unix.AUDIT_ARCH_ARM
		assert.Equal(t, pick(short, "32-bit", ""), c.Bits)
	}

	// clone(2) has its last two arguments the other way round but on amd64.
	info := syscallInfo{Arch: unix.AUDIT_ARCH_AARCH64}
	info.Data = [8]uint64{220, unix.CLONE_SETTLS | unix.CLONE_CHILD_SETTID, 0, 0, 0xaa, 0xbb}
	c := table.newCall(info)
	(&decoder{table: table, mem: m}).decode(c)
	assert.Equal(t, "clone(child_stack=NULL, flags=CLONE_SETTLS|CLONE_CHILD_SETTID, tls=0xaa, "+
		"child_tidptr=0xbb)", c.Text())
	assert.Equal(t, "syscall_9999", abiOf(unix.AUDIT_ARCH_X86_64).name(9999))
	assert.Equal(t, "syscall_1", abiOf(12345).name(1), "an architecture that nobody knows")
}

// Every word of calls.txt is a kind, every call of it one of some architecture,
// and every call that is watched has its arguments there.
func TestTableIsWhole(t *testing.T) {
	table := newTable()
	known := map[string]bool{}
	for _, names := range [][]string{namesAMD64[:], namesARM64[:], names386[:], namesARM[:]} {
		for _, name := range names {
			known[generalName(name)] = true
		}
	}
	for name, signature := range table.signatures {
		assert.True(t, known[name], "no architecture has a call %s", name)
		assert.LessOrEqual(t, len(signature), 6, name)
		for i, word := range signature {
			word = strings.TrimPrefix(word, ">")
			if word == "special" {
				assert.Contains(t, table.specials, name)
				continue
			}
			assert.Contains(t, table.kinds, word, name)
			if word == "buf" || word == "iov" {
				assert.Less(t, i+1, len(signature), "%s: a buffer's size follows it", name)
			}
		}
	}
	for _, name := range candidates {
		assert.Contains(t, table.signatures, name)
	}
}

// Whatever a program puts into its registers and its memory, it is text that can
// be printed.
func FuzzDecode(f *testing.F) {
	table := newTable()
	names := slices.Sorted(maps.Keys(table.signatures))
	f.Add(uint16(0), byte(0), uint64(0x1000), uint64(0x1008), uint64(0x1010), uint64(4),
		[]byte("\x00\x10\x00\x00\x00\x00\x00\x00/proc\x00"), int64(0))
	f.Add(uint16(7), byte(1), uint64(0xffffffffffffffff), uint64(1<<40), uint64(0x1004), uint64(9),
		[]byte("\xff\xff\xff\xff"), int64(-1))
	f.Fuzz(func(t *testing.T, which uint16, arch byte, a, b, c, e uint64, bytes []byte,
		result int64,
	) {
		archs := []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64}
		name := names[int(which)%len(names)]
		call := &Call{Name: name, abi: table.abi(archs[int(arch)%len(archs)])}
		call.args = [6]uint64{a, b, c, e, a ^ b, c ^ e}
		d := &decoder{table: table, mem: &pretended{at: 0x1000, bytes: bytes}, path: files}
		d.decode(call)
		_, _ = call.Words(&process{pid: 1 << 30})
		exit := syscallInfo{Data: [8]uint64{uint64(result), uint64(arch >> 7)}}
		call.finish(exit)
		d.decodeResults(call)
		phrase, shell := call.Words(&process{pid: 1 << 30})
		for _, text := range []string{phrase, shell, call.Text(), call.short(), call.Result()} {
			assert.Equal(t, printable(text), text, name)
		}
	})
}

// FuzzWrap: no line is too long, and nothing but spaces at breaks is lost.
func FuzzWrap(f *testing.F) {
	f.Add("mount(\"proc\", \"/proc\", \"proc\", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL) = 0", 20, 12)
	f.Add("", 10, 10)
	f.Add(strings.Repeat("ä", 100), 10, 7)
	f.Fuzz(func(t *testing.T, text string, first, rest int) {
		first, rest = 10+abs(first)%90, 10+abs(rest)%90
		text = strings.ToValidUTF8(text, "?")
		lines := wrap(text, first, rest, ", ", "|")
		for i, line := range lines {
			width := pick(i == 0, first, rest)
			assert.LessOrEqual(t, len([]rune(line)), width, "%q", line)
		}
		without := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		assert.Equal(t, without(text), without(strings.Join(lines, "")))
	})
}

// abs returns a number without its sign.
func abs(n int) int { return max(n, -(n + 1)) }

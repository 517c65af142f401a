//go:build linux

package stage

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime's own preparations for a fork. The first blocks all signals, the second
// resets their handlers in the child before they are let through again: a handler of
// Go's would look for threads that the copy does not have.
//
//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// none is the number of a file that is not there.
const none = ^uintptr(0)

// orders is all that the two processes need, in plain numbers: what they read was
// written before they were copied. Pointers lead to memory that the copies have, too.
type orders struct {
	runtimeEnd uintptr // of the socket, to be closed at once
	socket     uintptr
	tasks      []uintptr
	target     uintptr
	join       uintptr
	namespaces []joined
	unshare    uintptr // CLONE_NEWUSER, CLONE_NEWTIME
	renames    []rawCall
	mm         mmMap
	inherits   bool    // a user namespace changes: become its root, or
	uid, gid   uintptr // somebody else there
	waits      bool    // for maps or offsets
	files      []uintptr
	exe        uintptr
	argv, env  unsafe.Pointer
	first      cloneArgs // with CLONE_INTO_CGROUP
	second     cloneArgs
	zero       [1]byte // "0"
	empty      [1]byte // ""
	word       word    // what is said next
}

// cloneArgs is struct clone_args: linux/sched.h.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
	setTID, setTIDSize, cgroup                                           uint64
}

// joined is a namespace to join, and whether that is done.
type joined struct {
	kind, fd uintptr
	done     bool
}

// fork makes the first process. In it, the call does not return.
//
//go:noinline
//go:norace
//go:nosplit
func fork(o *orders) (pid uintptr, errno syscall.Errno) {
	beforeFork()
	pid, _, errno = syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&o.first)),
		unsafe.Sizeof(o.first), 0)
	if errno != 0 || pid != 0 {
		afterFork()
		return pid, errno
	}
	afterForkInChild()
	runFirst(o)
	return 0, 0
}

// runFirst is the life of the first process.
//
//go:norace
//go:nosplit
func runFirst(o *orders) {
	syscall.RawSyscall(unix.SYS_CLOSE, o.runtimeEnd, 0, 0)
	enterCgroups(o)
	enterNamespaces(o)
	rename(o)
	if o.unshare&unix.CLONE_NEWTIME != 0 {
		o.call(stepTime, 0, unix.SYS_UNSHARE, unix.CLONE_NEWTIME, 0, 0)
	}
	if o.waits {
		o.say(stepReady, 0, 0)
		n, _, _ := syscall.RawSyscall(unix.SYS_READ, o.socket, uintptr(unsafe.Pointer(&o.word)), 1)
		if n != 1 {
			exit(statusAlone) // nobody is there to run the program for
		}
	}
	if o.inherits {
		becomeRoot(o)
	}
	arrangeFiles(o)
	o.call(stepHide, 0, unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0)

	pid, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&o.second)),
		unsafe.Sizeof(o.second), 0)
	switch {
	case errno != 0:
		o.fail(stepClone, 0, errno)
	case pid == 0:
		runSecond(o)
	}
	o.say(stepBorn, 0, uint32(pid))
	exit(0)
}

// runSecond is the life of the second process until it is the program.
//
//go:norace
//go:nosplit
func runSecond(o *orders) {
	_, _, errno := syscall.RawSyscall6(unix.SYS_EXECVEAT, o.exe, uintptr(unsafe.Pointer(&o.empty)),
		uintptr(o.argv), uintptr(o.env), unix.AT_EMPTY_PATH, 0)
	o.fail(stepExec, 0, errno)
}

// enterCgroups moves this process into the cgroups of version 1. The 0 stands for the
// writing thread, and that one can be moved without waiting for anybody.
//
//	echo 0 > /sys/fs/cgroup/memory/NAME/tasks
//
//go:norace
//go:nosplit
func enterCgroups(o *orders) {
	for i := range o.tasks {
		zero := uintptr(unsafe.Pointer(&o.zero))
		o.call(stepTasks, i, unix.SYS_WRITE, o.tasks[i], zero, 1)
	}
}

// enterNamespaces joins namespaces and makes a user namespace. What may be joined
// before the user namespace is joined then, with the rights of outside; what the kernel
// refuses to that belongs to the user namespace and is joined with the rights of inside.
//
//	nsenter --target PID --all
//
//go:norace
//go:nosplit
func enterNamespaces(o *orders) {
	if o.join != 0 {
		o.call(stepTarget, 0, unix.SYS_SETNS, o.target, o.join, 0)
	}
	for i := range o.namespaces {
		n := &o.namespaces[i]
		if n.done || n.kind == unix.CLONE_NEWUSER {
			continue
		}
		_, _, errno := syscall.RawSyscall(unix.SYS_SETNS, n.fd, n.kind, 0)
		n.done = errno == 0
		if errno != 0 && errno != unix.EPERM {
			o.fail(stepJoin, i, errno)
		}
	}
	for i := range o.namespaces {
		if n := &o.namespaces[i]; !n.done && n.kind == unix.CLONE_NEWUSER {
			o.call(stepJoin, i, unix.SYS_SETNS, n.fd, n.kind, 0)
			n.done = true
		}
	}
	if o.unshare&unix.CLONE_NEWUSER != 0 {
		o.call(stepUser, 0, unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0)
	}
	for i := range o.namespaces {
		if n := &o.namespaces[i]; !n.done {
			o.call(stepJoin, i, unix.SYS_SETNS, n.fd, n.kind, 0)
		}
	}
}

// rename has this process execute another file than it did.
//
//go:norace
//go:nosplit
func rename(o *orders) {
	for i := range o.renames {
		c := &o.renames[i]
		_, _, errno := syscall.RawSyscall6(c.number, c.args[0], c.args[1], c.args[2],
			c.args[3], c.args[4], c.args[5])
		if errno != 0 {
			o.fail(stepRename, i, errno)
		}
	}
}

// becomeRoot takes the ids of the root of the user namespace, or those that are asked
// for: as anybody but root this process would lose its capabilities in the execve(2).
//
//go:norace
//go:nosplit
func becomeRoot(o *orders) {
	_, _, errno := syscall.RawSyscall(unix.SYS_SETRESGID, o.gid, o.gid, o.gid)
	if errno != 0 && errno != unix.EINVAL { // EINVAL: no group 0 in this namespace
		o.fail(stepRoot, 0, errno)
	}
	_, _, errno = syscall.RawSyscall(unix.SYS_SETRESUID, o.uid, o.uid, o.uid)
	if errno != 0 && errno != unix.EINVAL {
		o.fail(stepRoot, 0, errno)
	}
	if errno != 0 || o.uid != 0 {
		keepCapabilities(o)
	}
}

// keepCapabilities makes all capabilities ambient, so that they outlive an execve(2)
// in a user namespace that has no root.
//
//go:norace
//go:nosplit
func keepCapabilities(o *orders) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	at, data := uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&sets))
	o.call(stepAmbient, 0, unix.SYS_CAPGET, at, data, 0)
	sets[0].Inheritable, sets[1].Inheritable = sets[0].Permitted, sets[1].Permitted
	o.call(stepAmbient, 0, unix.SYS_CAPSET, at, data, 0)
	for number := range uintptr(unix.CAP_LAST_CAP + 1) {
		// Not all of them are there to be raised.
		syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE,
			number, 0, 0, 0)
	}
}

// arrangeFiles gives the files their numbers and closes all others. The originals lie
// above: prepare has seen to that. Socket and program end with the execve(2).
//
//go:norace
//go:nosplit
func arrangeFiles(o *orders) {
	for i := range o.files {
		o.call(stepFiles, i, unix.SYS_DUP3, o.files[i], uintptr(i), 0)
	}
	socket, exe := uintptr(len(o.files)), uintptr(len(o.files)+1)
	o.call(stepFiles, 0, unix.SYS_DUP3, o.socket, socket, unix.O_CLOEXEC)
	o.call(stepFiles, 0, unix.SYS_DUP3, o.exe, exe, unix.O_CLOEXEC)
	o.socket, o.exe = socket, exe
	o.call(stepFiles, 0, unix.SYS_CLOSE_RANGE, exe+1, 1<<31-1, 0)
}

// call makes a system call, without which this process cannot go on.
//
//go:norace
//go:nosplit
func (o *orders) call(step uint32, index int, number, a, b, c uintptr) {
	if _, _, errno := syscall.RawSyscall(number, a, b, c); errno != 0 {
		o.fail(step, index, errno)
	}
}

// fail tells which call failed and ends the process.
//
//go:norace
//go:nosplit
func (o *orders) fail(step uint32, index int, errno syscall.Errno) {
	o.say(step, index, uint32(errno))
	exit(1)
}

// say sends one word to the process that began all this.
//
//go:norace
//go:nosplit
func (o *orders) say(step uint32, index int, value uint32) {
	o.word = word{step, uint32(index), value}
	syscall.RawSyscall(unix.SYS_WRITE, o.socket, uintptr(unsafe.Pointer(&o.word)),
		unsafe.Sizeof(o.word))
}

// exit ends the process, and nothing else: there is nothing to clean up.
//
//go:norace
//go:nosplit
func exit(status uintptr) {
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, status, 0, 0)
	}
}

//go:build linux

package seccomp

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Deliver hands the file on to the process that answers for calls. It runs on a
// thread without the filter and is called once, if the filter has Notify. The file is
// closed when it returns.
type Deliver func(listener *os.File) error

// Load puts the filter on the calling thread, which must be locked. It takes
// no_new_privs or CAP_SYS_ADMIN. Other threads of the process have no filter: what the
// profile keeps the caller from saying, such as an error, they can say.
func (f *Filter) Load(deliver Deliver) error {
	in, err := f.prepare()
	if err != nil {
		return err
	}
	return f.run(in, deliver)
}

// Exec is Load and then execve(2), with no other system call between them: the profile
// need allow neither what Go's runtime does nor, for a listener, what hands it on. It
// returns only an error; of the filter or a syscall.Errno of execve, which the
// filter itself may have made. The limit of open files is left as it is.
func (f *Filter) Exec(path string, argv, env []string, deliver Deliver) error {
	in, err := f.prepare()
	if err != nil {
		return err
	}
	if in.path, err = unix.BytePtrFromString(path); err != nil {
		return fmt.Errorf("execute %q: %w", path, err)
	}
	if in.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return fmt.Errorf("arguments of %s: %w", path, err)
	}
	if in.env, err = syscall.SlicePtrFromStrings(env); err != nil {
		return fmt.Errorf("environment of %s: %w", path, err)
	}
	return f.run(in, deliver)
}

// installation is one load of a filter, and all it needs: nothing is allocated, and no
// other code called, while the thread has the filter but not yet the program.
type installation struct {
	head      unix.SockFprog
	flags     uintptr
	path      *byte
	argv, env []*byte
	noHandler [32]byte // a struct sigaction: SIG_DFL

	waits    bool
	listener atomic.Int64 // the file's number, or what the kernel says instead
	told     atomic.Int32 // whether the file was handed on
}

// The values of told.
const (
	notTold = iota
	told
	nobodyToTell
)

// prepare is an installation that loads the filter.
func (f *Filter) prepare() (*installation, error) {
	if len(f.Program) == 0 || len(f.Program)%instructionSize != 0 ||
		f.Len() > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("load a seccomp filter of %d bytes: %w", len(f.Program), unix.EINVAL)
	}
	in := &installation{flags: uintptr(f.Flags), waits: f.Notify}
	in.head.Len = uint16(f.Len())
	in.head.Filter = (*unix.SockFilter)(unsafe.Pointer(&f.Program[0]))
	if f.Notify {
		in.flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	return in, nil
}

// run installs, while another thread hands the listener on.
func (f *Filter) run(in *installation, deliver Deliver) error {
	delivered := make(chan error, 1)
	if in.waits {
		if deliver == nil {
			return errors.New("load a seccomp filter: nobody to deliver its listener to")
		}
		ready := make(chan struct{})
		// The other thread needs a processor of its own while this one only turns
		// round, and a garbage collection would stop for this one without end. It stays
		// off: to turn it on takes system calls, and what is here ends with an execve(2).
		if runtime.GOMAXPROCS(0) < 2 {
			runtime.GOMAXPROCS(2)
		}
		debug.SetGCPercent(-1)
		go in.handOn(deliver, ready, delivered)
		<-ready
	}
	step, errno := in.install()
	runtime.KeepAlive(f)
	switch {
	case step == stepLoad && errno != 0:
		return fmt.Errorf("load a seccomp filter of %d instructions: %w", f.Len(), errno)
	case step == stepExec:
		return errno
	case in.waits:
		return <-delivered
	}
	return nil
}

// The steps of install.
const (
	stepLoad = iota
	stepExec
)

// install makes the system calls. It must not be interrupted: signals by which Go's
// runtime changes goroutines have no handler any longer, and nosplit functions
// are not asked to give way.
//
//go:nosplit
func (in *installation) install() (step int, errno syscall.Errno) {
	if in.waits || in.path != nil {
		syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGURG),
			uintptr(unsafe.Pointer(&in.noHandler)), 0, 8, 0, 0)
	}
	fd, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, in.flags,
		uintptr(unsafe.Pointer(&in.head)))
	if in.waits {
		in.listener.Store(result(fd, errno))
		for in.told.Load() == notTold {
			continue // any system call could be one for which the listener has to answer
		}
	}
	if errno != 0 || in.path == nil || in.told.Load() == nobodyToTell {
		return stepLoad, errno
	}
	_, _, errno = syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(in.path)),
		uintptr(unsafe.Pointer(&in.argv[0])), uintptr(unsafe.Pointer(&in.env[0])))
	return stepExec, errno
}

// result is a file's number, or an errno below zero.
//
//go:nosplit
func result(fd uintptr, errno syscall.Errno) int64 {
	if errno != 0 {
		return -int64(errno)
	}
	return int64(fd)
}

// handOn waits for the listener and delivers it.
func (in *installation) handOn(deliver Deliver, ready chan<- struct{}, delivered chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	in.listener.Store(nothingYet)
	close(ready)
	for in.listener.Load() == nothingYet {
		runtime.Gosched()
	}
	var err error
	if fd := in.listener.Load(); fd >= 0 {
		listener := os.NewFile(uintptr(fd), "seccomp listener")
		err = errors.Join(deliver(listener), listener.Close())
	}
	delivered <- err
	if err != nil {
		in.told.Store(nobodyToTell)
		return
	}
	in.told.Store(told)
}

// nothingYet is neither a file's number nor an errno.
const nothingYet = -1 << 32

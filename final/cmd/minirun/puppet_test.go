package main_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// puppet is a run of minirun under ptrace(2), in which one process is killed as it is
// about to make a certain system call. The kernel does not make that call any longer.
type puppet struct {
	victim string // what the killed process's command line begins with
	at     int    // which of its calls, from 0; calls that change nothing do not count

	root    int          // minirun as it was started
	role    map[int]bool // threads that are the victim's first
	known   map[int]bool // threads that have had their first stop
	calls   int
	reached bool
	status  chan unix.WaitStatus // how minirun has ended
	ended   chan error           // no process is left under control
}

// idle are the system calls that change nothing outside of the process: to be killed
// at one of them is to be killed at the next one that counts.
var idle = []uint64{
	unix.SYS_READ, unix.SYS_PREAD64, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_MMAP,
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MPROTECT, unix.SYS_BRK, unix.SYS_FUTEX,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN,
	unix.SYS_SIGALTSTACK, unix.SYS_NANOSLEEP, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EVENTFD2, unix.SYS_GETPID, unix.SYS_GETTID,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_FCNTL, unix.SYS_READLINKAT,
	unix.SYS_LSEEK, unix.SYS_GETDENTS64, unix.SYS_PRLIMIT64, unix.SYS_TGKILL,
	unix.SYS_STATFS, unix.SYS_FSTATFS, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2,
	unix.SYS_GETEUID, unix.SYS_GETUID, unix.SYS_UNAME, unix.SYS_GETCWD, unix.SYS_IOCTL,
	unix.SYS_PPOLL, unix.SYS_GETRANDOM, unix.SYS_CAPGET, unix.SYS_RESTART_SYSCALL,
	unix.SYS_GETGROUPS, unix.SYS_OPENAT2, unix.SYS_WAIT4, unix.SYS_WAITID, unix.SYS_CLOSE_RANGE,
	unix.SYS_CLONE, unix.SYS_PIPE2, unix.SYS_DUP3, unix.SYS_GETPPID, unix.SYS_PIDFD_OPEN,
}

// start starts a command under control. How minirun ends comes by status; until ended
// says so, its descendants are served.
func (p *puppet) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	p.role, p.known = map[int]bool{}, map[int]bool{}
	p.status, p.ended = make(chan unix.WaitStatus, 1), make(chan error, 1)
	begun := make(chan error, 1)
	go func() {
		// A traced process belongs to the thread that has begun to trace it.
		runtime.LockOSThread()
		cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
		err := cmd.Start()
		begun <- err
		if err == nil {
			p.root = cmd.Process.Pid
			p.ended <- p.serve()
		}
	}()
	require.NoError(t, <-begun)
}

// serve lets all processes go on from stop to stop until none is left.
func (p *puppet) serve() error {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return nil
		case err != nil:
			return err
		case status.Stopped():
			p.stop(pid, status)
		case pid == p.root:
			p.status <- status
		}
	}
}

// stop looks why a thread has stopped, and lets it go on or kills its process.
func (p *puppet) stop(pid int, status unix.WaitStatus) {
	const marked = 0x80 // PTRACE_O_TRACESYSGOOD marks stops at calls
	signal := 0
	switch stop := status.StopSignal(); {
	case !p.known[pid]:
		p.known[pid] = true
		p.role[pid] = p.isVictim(pid)
		if pid == p.root {
			// Its descendants inherit that.
			_ = unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACEFORK|
				unix.PTRACE_O_TRACEVFORK|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACEEXEC)
		}
	case stop == unix.SIGTRAP|marked:
		if p.role[pid] && p.counts(pid) {
			p.calls++
			if p.calls > p.at && !p.reached {
				p.reached = true
				_ = unix.Kill(pid, unix.SIGKILL) // it is stopped: the number is its own
				return
			}
		}
	case status.TrapCause() == unix.PTRACE_EVENT_EXEC:
		p.role[pid] = p.isVictim(pid)
	case stop == unix.SIGTRAP, stop == unix.SIGSTOP && len(p.role) > 0:
		// An event, or the first stop of a descendant that was seen earlier.
	default:
		signal = int(stop)
	}
	_ = unix.PtraceSyscall(pid, signal) // it may have been killed
}

// isVictim tells by a process's command line, words parted by spaces.
func (p *puppet) isVictim(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	line := strings.ReplaceAll(string(text), "\x00", " ")
	return err == nil && strings.HasPrefix(line, p.victim)
}

// counts reports whether a thread stands before a call that may change something:
// struct ptrace_syscall_info of linux/ptrace.h.
func (p *puppet) counts(pid int) bool {
	var info struct {
		op     uint8
		_      [3]uint8
		_      uint32
		_, _   uint64
		number uint64
		args   [6]uint64
	}
	const entry = 1 // PTRACE_SYSCALL_INFO_ENTRY
	_, _, errno := syscall.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(pid),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 || info.op != entry || slices.Contains(idle, info.number) {
		return false
	}
	writes := uint64(unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT)
	return info.number != unix.SYS_OPENAT || info.args[2]&writes != 0
}

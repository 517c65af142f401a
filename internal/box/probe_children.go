//go:build linux

package box

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// again prepares another probe process of this program, whatever its name is.
func again(args ...string) *exec.Cmd {
	// By its path, so that the kernel's name for the process is probe and not exe.
	path, err := os.Executable()
	if err != nil || executable(path) != nil {
		path = "/proc/self/exe"
	}
	cmd := exec.Command(path)
	cmd.Args = append([]string{"probe"}, args...)
	// Its own streams: a root may lack /dev/null, which package os/exec opens for none.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// probeOrphans makes N orphans: processes whose parent has exited. Each tells its new
// parent and ends. Then it waits up to 2 s for the zombies to be reaped and prints
//
//	reparented to 1
//	zombies 0
//
// The zombies are all of its own pid namespace when /proc shows that, else those of
// the N processes that the /proc of another namespace shows.
func probeOrphans(c *call) error {
	n, err := c.oneNumber()
	if err != nil || n < 1 || n > 100 {
		return misused("want a number from 1 to 100")
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	parent := again("orphan-parent", strconv.Itoa(n))
	parent.ExtraFiles = []*os.File{write}
	err = errors.Join(parent.Run(), write.Close())
	if err != nil {
		return fmt.Errorf("make orphans: %w", err)
	}

	// The pipe ends when the last orphan has.
	orphans := map[string]bool{}
	adopters := map[string]bool{}
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		pid, ppid, _ := strings.Cut(lines.Text(), " ")
		orphans[pid] = true
		adopters[ppid] = true
	}
	if len(orphans) != n {
		return fmt.Errorf("%d of %d orphans reported", len(orphans), n)
	}
	for ppid := range adopters {
		c.printf("reparented to %s\n", ppid)
	}
	zombies, err := zombiesAfter(2*time.Second, orphans)
	if err != nil {
		return err
	}
	c.printf("zombies %d\n", zombies)
	return nil
}

// probeOrphanParent starts N orphans with descriptor 3 and exits before they do.
func probeOrphanParent(c *call) error {
	n, err := c.oneNumber()
	if err != nil {
		return err
	}
	for range n {
		child := again("orphan", strconv.Itoa(os.Getpid()))
		child.ExtraFiles = []*os.File{os.NewFile(3, "report")}
		if err := child.Start(); err != nil {
			return err
		}
	}
	return nil
}

// probeOrphan waits until its parent is another one than PPID, writes `PID PPID` to
// descriptor 3 and ends.
func probeOrphan(c *call) error {
	old, err := c.oneNumber()
	if err != nil {
		return err
	}
	for end := time.Now().Add(5 * time.Second); os.Getppid() == old; {
		if time.Now().After(end) {
			return fmt.Errorf("parent %d is still there", old)
		}
		time.Sleep(time.Millisecond)
	}
	_, err = fmt.Fprintf(os.NewFile(3, "report"), "%d %d\n", os.Getpid(), os.Getppid())
	return err
}

// zombiesAfter polls until there is no zombie or the time is over, and returns their
// number.
func zombiesAfter(wait time.Duration, orphans map[string]bool) (int, error) {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return 0, fmt.Errorf("count zombies: %w", err)
	}
	if self == strconv.Itoa(os.Getpid()) {
		orphans = nil // This /proc is ours: every zombie in it counts.
	}
	for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		n, err := countZombies(orphans)
		if err != nil || n == 0 || time.Now().After(end) {
			return n, err
		}
	}
}

// countZombies counts the processes in state Z of /proc: all of them, or those whose
// pid in their own, nested namespace is among pids.
//
//	State:	Z (zombie)
//	NSpid:	4711	5
//
// NSpid holds the pid in every namespace from that of /proc inwards.
func countZombies(pids map[string]bool) (int, error) {
	list, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range list {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/status")
		if err != nil || !strings.Contains(string(text), "\nState:\tZ") {
			continue // Gone, or alive.
		}
		if pids == nil {
			n++
			continue
		}
		_, rest, _ := strings.Cut(string(text), "\nNSpid:")
		line, _, _ := strings.Cut(rest, "\n")
		if f := strings.Fields(line); len(f) > 1 && pids[f[len(f)-1]] {
			n++
		}
	}
	return n, nil
}

// probeZombie leaves a child that has ended and is not waited for, prints
// `zombie PID` and holds until standard input ends.
func probeZombie(c *call) error {
	child := again("exit", "0")
	if err := child.Start(); err != nil {
		return err
	}
	pid := child.Process.Pid
	// WNOWAIT waits for the end and leaves the zombie.
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waitid %d: %w", pid, err)
		}
	}
	if err := c.say("zombie %d", pid); err != nil {
		return err
	}
	untilEOF(c.in)
	return nil
}

// probeForkbomb makes processes until the kernel refuses, then ends them all and
// prints one line, `18 processes, then fork: resource temporarily unavailable`, with
// exit status 0. It stops by itself, with exit status 1, at --max processes or after
// --seconds.
//
// A pids limit counts threads too, and a Go program aborts when it gets no thread.
// So nothing here may need a new one: the children are plain copies of this process
// that only sleep, all calls while the limit is reached are raw ones, which the
// scheduler does not see, and the garbage collector, which would start workers, is off.
func probeForkbomb(c *call) error {
	o, err := c.parse("", "max:", "seconds:")
	if err == nil {
		err = c.wants(0, 0)
	}
	if err != nil {
		return err
	}
	limit, merr := o.number("max", 200)
	seconds, serr := o.number("seconds", 5)
	if err := errors.Join(merr, serr); err != nil {
		return err
	}
	if limit > 10000 || seconds > 60 {
		return misused("at most 10000 processes and 60 seconds")
	}
	debug.SetGCPercent(-1)

	pids := make([]int, 0, limit)
	var refused syscall.Errno
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for len(pids) < limit && time.Now().Before(end) {
		pid, errno := sleepingCopy(seconds + 5)
		if errno != 0 {
			refused = errno
			break
		}
		pids = append(pids, pid)
	}
	endCopies(pids)

	if refused == 0 {
		c.printf("%d processes, no fork was refused\n", len(pids))
		return status(1)
	}
	c.printf("%d processes, then fork: %v\n", len(pids), refused)
	return nil
}

// endCopies kills and reaps the copies with raw calls. Every pid is an unreaped
// child, so none can have been given to another process.
func endCopies(pids []int) {
	for _, pid := range pids {
		_, _, _ = syscall.RawSyscall(unix.SYS_KILL, uintptr(pid), uintptr(unix.SIGKILL), 0)
	}
	for _, pid := range pids {
		for {
			_, _, errno := syscall.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), 0, 0, 0, 0, 0)
			if errno != unix.EINTR {
				break
			}
		}
	}
}

// sleepingCopy forks: the child is a copy of this process with one thread, which
// sleeps at most the given seconds and exits. The Go runtime does not live in it, so
// it makes raw system calls only, with all signals blocked and no function that could
// grow the stack. It dies with its parent.
//
//go:norace
//go:noinline
func sleepingCopy(seconds int) (pid int, errno syscall.Errno) {
	parent := uintptr(syscall.Getpid())
	all, old := ^uint64(0), uint64(0)
	pause := unix.Timespec{Sec: int64(seconds)}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	r, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno == 0 && r == 0 {
		_, _, _ = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG,
			uintptr(unix.SIGKILL), 0)
		if ppid, _, _ := syscall.RawSyscall(unix.SYS_GETPPID, 0, 0, 0); ppid == parent {
			_, _, _ = syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
		}
		for {
			_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	return int(r), errno
}

// setDefaultAction gives a signal the kernel's default action, behind the back of the
// Go runtime, which would print a traceback for some. No core file is written.
func setDefaultAction(sig syscall.Signal) error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setrlimit: %w", err)
	}
	if sig == syscall.SIGKILL || sig == syscall.SIGSTOP {
		return nil // Nobody can change these.
	}
	var action [4]uint64 // A struct sigaction of the kernel, all zero: SIG_DFL.
	_, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	if errno != 0 {
		return fmt.Errorf("rt_sigaction: %w", errno)
	}
	return nil
}

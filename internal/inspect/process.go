//go:build linux

package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is who a process is, as far as everybody may know.
type Process struct {
	PID    int
	PPid   int // 0 when the parent is outside of the reader's PID namespace
	Name   string
	State  byte // R, S, D, T, Z …; Z when no thread is left
	UID    int  // to whom its files under /proc belong: its effective user, as a rule
	Kernel bool // a thread of the kernel: it runs no program
	Start  uint64
}

// Called returns what a process is called. One that executed /proc/self/exe, as the
// steps do for their second process, goes by the name of that link: the name it was
// given says more.
func (p Process) Called() string {
	const link = "exe"
	if p.Name != link {
		return p.Name
	}
	args, err := Cmdline(p.PID)
	if err != nil || len(args) == 0 || args[0] == "" {
		return p.Name
	}
	return filepath.Base(args[0])
}

// Self returns the reader's own pid, as the mounted /proc numbers processes. It is
// another one than getpid(2) says where /proc was mounted for another PID namespace.
func Self() (int, error) {
	target, err := os.Readlink("/proc/self")
	if err != nil {
		return 0, fmt.Errorf("find this process in /proc: %w", err)
	}
	pid, err := strconv.Atoi(target)
	if err != nil {
		return 0, fmt.Errorf("find this process in /proc: %w", err)
	}
	return pid, nil
}

// ErrEnded means that a process ended while it was looked at.
var ErrEnded = errors.New("it ended while it was looked at")

// Meanwhile returns ErrEnded for an error by which a file below /proc/PID says that
// the process is no more, and any other error as it is: the file is not there, or it
// was opened before and answers ESRCH.
func Meanwhile(pid int, err error) error {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return err
	}
	if p, gone := ReadProcess(pid); gone != nil || p.State == 'Z' {
		return ErrEnded
	}
	return err
}

// wholeState returns the state of a process whose first thread's is given. That thread is
// a zombie for a moment while another one executes a program, and for good once it
// alone has ended (execve(2), pthread_exit(3)): then another thread's state counts.
func wholeState(pid int, first byte) (byte, error) {
	for first == 'Z' {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return 0, err
		}
		zombies := 0
		for _, thread := range threads {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, thread.Name()))
			_, rest, _ := cutLast(string(text), ") ")
			switch {
			case err != nil || rest == "":
				// It ended, or has become the first: there is another list to read.
			case rest[0] == 'Z':
				zombies++
			default:
				return rest[0], nil
			}
		}
		if zombies == len(threads) {
			break
		}
	}
	return first, nil
}

// kernelThread is the bit PF_KTHREAD among the flags of /proc/PID/stat.
const kernelThread = 0x00200000

// ReadProcess reads /proc/PID/stat, where the name in brackets may hold anything
// and the field after it is the third:
//
//	4712 (my (odd) name) S 4711 4712 4712 0 -1 4194560 …
func ReadProcess(pid int) (Process, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return Process{}, err
	}
	head, rest, found := cutLast(string(text), ") ")
	_, name, named := strings.Cut(head, "(")
	fields := strings.Fields(rest)
	if !found || !named || len(fields) < 20 {
		return Process{}, fmt.Errorf("read %s: %q is not a process's", path, text)
	}
	p := Process{PID: pid, Name: name, State: fields[0][0]}
	var flags uint64
	for _, field := range []struct {
		number int // as proc(5) counts
		set    func(string) error
	}{
		{4, func(s string) (err error) { p.PPid, err = strconv.Atoi(s); return err }},
		{9, func(s string) (err error) { flags, err = strconv.ParseUint(s, 10, 64); return err }},
		{22, func(s string) (err error) {
			p.Start, err = strconv.ParseUint(s, 10, 64)
			return err
		}},
	} {
		if err := field.set(fields[field.number-3]); err != nil {
			return Process{}, fmt.Errorf("read field %d of %s: %w", field.number, path, err)
		}
	}
	p.Kernel = flags&kernelThread != 0
	if p.State, err = wholeState(pid, p.State); err != nil {
		return Process{}, err
	}
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d", pid), &st); err != nil {
		return Process{}, fmt.Errorf("stat /proc/%d: %w", pid, err)
	}
	p.UID = int(st.Uid)
	return p, nil
}

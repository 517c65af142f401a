package initproc

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"lab/final/internal/caps"
	"lab/final/internal/plan"
	"lab/final/internal/seccomp"
	"lab/final/internal/spec"
	"lab/final/internal/stage"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// limits performs what limits the process itself.
func (p *process) limits(action plan.Action) (mine bool, err error) {
	switch op := action.(type) {
	case plan.Umask:
		unix.Umask(int(op.Mask))
	case plan.Rlimit:
		limit := &unix.Rlimit{Cur: op.Soft, Max: op.Hard}
		err = unix.Prlimit(0, spec.Rlimit(op.Type), limit, nil)
	case plan.Personality:
		err = personality(op.Domain)
	case plan.Schedule:
		err = unix.SchedSetAttr(0, &unix.SchedAttr{
			Size: unix.SizeofSchedAttr, Policy: op.Policy, Flags: op.Flags, Nice: op.Nice,
			Priority: op.Priority, Runtime: op.Runtime, Deadline: op.Deadline, Period: op.Period,
		}, 0)
	case plan.Affinity:
		var cpus unix.CPUSet
		if cpus, err = spec.CPUs(op.CPUs); err == nil {
			err = unix.SchedSetaffinity(0, &cpus)
		}
	case plan.IOPriority:
		const shift = 13 // IOPRIO_CLASS_SHIFT
		err = call(unix.SYS_IOPRIO_SET, 1, 0, uintptr(op.Class<<shift|op.Priority))
	default:
		return false, nil
	}
	return true, err
}

// personality chooses the execution domain.
func personality(domain string) error {
	const linux, linux32 = 0x0000, 0x0008 // linux/personality.h
	number := uintptr(linux)
	if domain == string(specs.PerLinux32) {
		number = linux32
	}
	return call(unix.SYS_PERSONALITY, number, 0, 0)
}

// call makes a system call that concerns this thread alone: what Go has for all
// threads of a process would be undone by none, but cost a stop of each.
func call(number, a, b, c uintptr) error {
	if _, _, errno := unix.RawSyscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

// rights performs what concerns the user and the rights, and becomes the command.
func (p *process) rights(action plan.Action) (mine bool, err error) {
	switch op := action.(type) {
	case plan.SetGroups:
		gids := make([]int, len(op.GIDs))
		for i, gid := range op.GIDs {
			gids[i] = int(gid)
		}
		err = unix.Setgroups(gids)
	case plan.FindProgram:
		p.program, err = findProgram(op)
	case plan.Bounding:
		err = op.Bound()
	case plan.SetUser:
		gid, uid := uintptr(op.GID), uintptr(op.UID)
		if err = call(unix.SYS_SETRESGID, gid, gid, gid); err == nil {
			err = call(unix.SYS_SETRESUID, uid, uid, uid)
		}
	case plan.Capabilities:
		err = op.Apply()
	case plan.Chdir:
		err = asUser(op.UID, op.GID, func() error { return chdir(op.Path) })
	case plan.NoNewPrivs:
		err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	case plan.CloseFiles:
		err = keepFiles(op.From)
	case plan.Seccomp:
		err = p.filter(op)
	case plan.Label:
		err = label(op)
	case plan.Exec:
		err = p.exec(op)
	default:
		return false, nil
	}
	return true, err
}

// chdir changes to the working directory. A directory that is not in the root, reached
// through a file that somebody left open, would be a way out.
func chdir(path string) error {
	if err := unix.Chdir(path); err != nil {
		return err
	}
	var buffer [unix.PathMax]byte
	n, err := unix.Getcwd(buffer[:])
	if err != nil {
		return fmt.Errorf("getcwd: %w", err)
	}
	// (unreachable)/srv
	if n < 1 || buffer[0] != '/' {
		return errors.New("it is outside of the container's root")
	}
	return nil
}

// keepFiles has execve(2) close all files but the first ones. Those below were closed
// for hooks, too, and are kept from here on.
func keepFiles(from int) error {
	for fd := 3; fd < from; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("keep the file %d: %w", fd, err)
		}
	}
	return unix.CloseRange(uint(from), ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
}

// filter loads the system call filter, and goes on to the command at once if the
// filter comes last.
func (p *process) filter(op plan.Seccomp) error {
	deliver := func(listener *os.File) error {
		fd, ok := p.job.Files["fd:listener"]
		if !ok {
			return errors.New("nobody answers calls: .linux.seccomp.listenerPath is missing")
		}
		state := specs.ContainerProcessState{
			Version: p.job.State.Version, Fds: []string{specs.SeccompFdName},
			Pid: p.job.State.Pid, Metadata: op.Metadata, State: p.job.State,
		}
		return seccomp.Send(os.NewFile(uintptr(fd), "listener"), state, listener)
	}
	if op.Exec == nil {
		return op.Load(deliver)
	}
	restore()
	return p.failure(*op.Exec, op.Filter.Exec(p.program, op.Exec.Args, op.Exec.Env, deliver))
}

// exec becomes the command.
func (p *process) exec(op plan.Exec) error {
	restore()
	return p.failure(op, unix.Exec(p.program, op.Args, op.Env))
}

// restore takes back what Go, or our caller, has done to what outlives an execve(2).
func restore() {
	RestoreFileLimit()
	stage.DefaultSignals()
}

// RestoreFileLimit takes back what Go does to the soft limit of open files as a program
// begins, for the sake of what is executed from here on. Go itself takes it back in one
// place, right before execve(2): so here is one that cannot succeed.
func RestoreFileLimit() {
	_ = syscall.Exec("", nil, nil) // ENOENT
}

// failure names the program, as clients read it.
func (p *process) failure(op plan.Exec, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("exec %s: %w", op.Args[0], errno)
	}
	return err
}

// findProgram finds the file to execute as the container's user: the thread's file
// system identity is the user's meanwhile, and has no power over permissions.
func findProgram(op plan.FindProgram) (path string, err error) {
	err = asUser(op.UID, op.GID, func() error {
		path, err = lookUp(op)
		return err
	})
	return path, err
}

// asUser does something as the container's user, and is who it was again. Root loses its
// power over permissions with the change; who has it without being root, in a user
// namespace that has none, gives it up for the moment.
func asUser(uid, gid uint32, do func() error) error {
	ownUID, ownGID := os.Geteuid(), os.Getegid()
	err := as(unix.SetfsgidRetGid, int(gid))
	if err == nil {
		err = as(unix.SetfsuidRetUid, int(uid))
	}
	switch {
	case err == nil && ownUID == 0:
		err = do()
	case err == nil:
		err = caps.Powerless(do)
	}
	return errors.Join(err, as(unix.SetfsuidRetUid, ownUID), as(unix.SetfsgidRetGid, ownGID))
}

// as changes the identity and makes sure of it: these calls tell no error.
func as(set func(int) (int, error), id int) error {
	if _, err := set(id); err != nil {
		return err
	}
	if now, _ := set(-1); now != id {
		return fmt.Errorf("the thread cannot be %d: %w", id, unix.EPERM)
	}
	return nil
}

// lookUp finds the file in PATH, or where the name says it is. The words of its errors
// are those from which clients make the exit status 126 or 127.
func lookUp(op plan.FindProgram) (string, error) {
	if strings.Contains(op.Name, "/") {
		path := op.Name
		if !strings.HasPrefix(path, "/") {
			path = strings.TrimSuffix(op.Cwd, "/") + "/" + path
		}
		if err := executable(path); err != nil {
			return "", fmt.Errorf("exec: %q: %w", op.Name, err)
		}
		return path, nil
	}
	var denied error
	for dir := range strings.SplitSeq(variable(op.Env, "PATH"), ":") {
		if !strings.HasPrefix(dir, "/") {
			dir = strings.TrimSuffix(op.Cwd, "/") + "/" + dir
		}
		path := strings.TrimSuffix(dir, "/") + "/" + op.Name
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if errors.Is(err, unix.EACCES) {
			denied = err
		}
	}
	if denied != nil {
		return "", fmt.Errorf("exec: %q: %w", op.Name, denied)
	}
	return "", fmt.Errorf("exec: %q: executable file not found in $PATH", op.Name)
}

// executable reports why a file cannot be executed.
func executable(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("%s: is a directory: %w", path, unix.EACCES)
	}
	return unix.Faccessat2(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
}

// variable returns a variable of an environment.
func variable(env []string, name string) string {
	for _, pair := range env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			return v
		}
	}
	return ""
}

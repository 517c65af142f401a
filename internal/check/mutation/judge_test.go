//go:build linux

package mutation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/inspect"
	"lab/internal/need"
)

// variable carries the orders to the process that judges.
const variable = "LAB_MUTATION"

// orders say what to judge, or what tour to take.
type orders struct {
	Step     string
	Program  string
	Root     string
	Shared   bool
	Exercise bool // by the checks of the exercises, not of the step
	Seed     uint64
	Tour     []string // the steps to be shown; the rest is of no use then
	Bin      string   // where all programs are, for the tour
}

// verdict is the first check that failed, if any did, or what a tour said.
type verdict struct {
	Check   string
	Failure *check.Failure
	Skips   []string // why checks before it could not be answered here
	Error   string   // a check that could not be asked
	Shown   string   // by the tour
	Status  int      // of the tour
}

// timeLimit is what one program gets. Whoever takes longer is ended with all
// that it has started: the judge is the first process of its namespace.
const timeLimit = 2 * time.Minute

// ask lets a process in namespaces of its own judge a program.
func ask(t *testing.T, o orders) verdict {
	t.Helper()
	o.Seed = rand.Uint64()
	t.Logf("seed %d", o.Seed)
	text, err := json.Marshal(o)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: unix.SIGKILL,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS |
			unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
	}
	runtime.LockOSThread() // a Pdeathsig goes by the thread that started the child
	defer runtime.UnlockOSThread()
	out, err := cmd.Output()
	require.NoError(t, ctx.Err(), "the program's judge was killed after %s", timeLimit)
	require.NoError(t, err, string(out))
	var v verdict
	require.NoError(t, json.Unmarshal(out, &v), string(out))
	require.Empty(t, v.Error, v.Check)
	return v
}

// judge is the process that ask starts, PID 1 of its namespaces. It prints a
// verdict. What it leaves ends with it.
func judge(text string) int {
	var o orders
	var found verdict
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = errors.Join(os.Unsetenv(variable), furnish(o.Shared))
	}
	if err != nil {
		found.Error = err.Error()
	} else {
		found = o.carryOut()
		removeCgroups()
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		return 1
	}
	return 0
}

// carryOut does what was ordered.
func (o orders) carryOut() verdict {
	if o.Tour != nil {
		return takeTour(o)
	}
	return firstFailure(o)
}

// takeTour runs `lab tour` with the programs of one directory.
func takeTour(o orders) verdict {
	cmd := exec.Command(filepath.Join(o.Bin, "lab"), append([]string{"tour"}, o.Tour...)...)
	// A mutant may leave what only the end of its mounts sets free.
	cmd.Env = append(os.Environ(), "LAB_BIN="+o.Bin, "HOME="+o.Bin, "TMPDIR="+o.Bin)
	out, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return verdict{Error: err.Error()}
	}
	return verdict{Shown: string(out), Status: cmd.ProcessState.ExitCode()}
}

// furnish makes the mounts what the test wants and the /proc that of this PID
// namespace.
func furnish(shared bool) error {
	// The copy of the mounts may be a peer of the one it was made from.
	// mount --make-rprivate /
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := sealFiles(); err != nil {
		return err
	}
	if err := exec.Command("ip", "link", "set", "lo", "up").Run(); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	if !shared {
		return nil
	}
	// mount --make-rshared /
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make the mounts shared: %w", err)
	}
	return nil
}

// sealFiles makes the machine's files read-only for a mutant, but those of the
// tests and of the kernel.
func sealFiles() error {
	// mount --rbind /tmp /tmp
	if err := unix.Mount(os.TempDir(), os.TempDir(), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", os.TempDir(), err)
	}
	mounts, err := inspect.Mounts(os.Getpid())
	if err != nil {
		return err
	}
	ofKernel := []string{"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"}
	for _, m := range mounts {
		below, err := filepath.Rel(os.TempDir(), m.Mountpoint)
		if err == nil && filepath.IsLocal(below) || slices.Contains(ofKernel, m.FSType) {
			continue
		}
		// mount -o remount,bind,ro /
		readonly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		err = unix.MountSetattr(unix.AT_FDCWD, m.Mountpoint, 0, readonly)
		// What lies below another mount cannot be reached, by anybody.
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("make %s read-only: %w", m.Mountpoint, err)
		}
	}
	return nil
}

// removeCgroups removes the cgroups that a mutant has left: a step names them
// lab-PID-INODE, by the PID namespace that this process is the first of. What
// stays all the same is found by the sandbox.
func removeCgroups() {
	inode, err := inspect.Namespace(os.Getpid(), "pid")
	if err != nil {
		return
	}
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return
	}
	for _, h := range hierarchies {
		for _, depth := range []string{"", "*/", "*/*/"} {
			pattern := fmt.Sprintf("%s/%slab-*-%d", h.Mount, depth, inode)
			dirs, _ := filepath.Glob(pattern) // fails for a bad pattern only
			for _, dir := range dirs {
				for range 200 {
					if unix.Rmdir(dir) != unix.EBUSY {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
		}
	}
}

// firstFailure asks one check after another until one fails.
func firstFailure(o orders) verdict {
	s := &check.Subject{
		Step: o.Step, Program: o.Program, Root: o.Root,
		Rand: rand.New(rand.NewPCG(o.Seed, o.Seed)),
	}
	checks := check.Of(o.Step)
	if o.Exercise {
		checks = check.Exercise(o.Step)
	}
	var found verdict
	for _, c := range checks {
		found.Check = c.Name
		err := c.Run(context.Background(), s)
		if failure, failed := errors.AsType[*check.Failure](err); failed {
			found.Failure = failure
			return found
		}
		if reason, skipped := check.Skipped(err); skipped {
			found.Skips = append(found.Skips, reason)
		} else if err != nil {
			found.Error = err.Error()
			return found
		}
	}
	return found
}

//go:build linux

package judge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/baseroot"
	"lab/internal/check"
	"lab/internal/inspect"
	"lab/internal/need"
	"lab/internal/sandbox"
)

// Asked reports whether this process was started as the judge.
func Asked() bool { return len(os.Args) > 0 && os.Args[0] == Name }

// variable carries the orders to the judge's processes.
const variable = "LAB_JUDGE"

// Main is the judge's process, or one of the stages that make its host. It
// prints answers and returns an exit status.
func Main() int {
	var o Orders
	err := json.Unmarshal([]byte(os.Getenv(variable)), &o)
	if err == nil {
		var status int
		if status, err = sandbox.Fresh(o); err == nil {
			return status
		}
	}
	fmt.Fprintln(os.Stderr, "make a throw-away host to judge in:", err)
	return 1
}

// Run carries the orders out, in the throw-away host.
func (o Orders) Run() int {
	err := os.Unsetenv(variable) // it is nobody else's to read
	if err == nil && o.Command != nil {
		return runCommand(o.Command)
	}
	whole := false
	if err == nil {
		whole, err = o.answer()
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case !whole || !o.own():
		return statusLeaves
	}
	return 0
}

// statusLeaves is the exit status of a judge after which the host need not be what
// it was: a check has failed, or those of an ancestor were asked, of which one kills
// the program, and what a step such as 04 leaves then is for its next run to take over.
const statusLeaves = 3

// MayLeave spares the learner the wait for what will not go.
func (o Orders) MayLeave(status int) bool { return status == statusLeaves }

// runCommand runs a command to its end and returns its exit status.
func runCommand(command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Println(err)
		return 127
	}
	return cmd.ProcessState.ExitCode()
}

// maxTasks is how many processes and threads a program under judgement can have
// where no cgroup counts them.
const maxTasks = 2000

// Furnish makes the throw-away host one that nothing can get out of.
func (o Orders) Furnish() error {
	if err := sealFiles(o.Dir); err != nil {
		return err
	}
	// prlimit --nproc=2000
	limit := &unix.Rlimit{Cur: maxTasks, Max: maxTasks}
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, limit); err != nil {
		return fmt.Errorf("limit the number of processes: %w", err)
	}
	if !o.Shared {
		return nil
	}
	// mount --make-rshared /
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make the mounts shared: %w", err)
	}
	return nil
}

// sealFiles makes all of the machine's files read-only but those below one
// directory and the kernel's own.
func sealFiles(writable string) error {
	// mount --bind DIR DIR
	if err := unix.Mount(writable, writable, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", writable, err)
	}
	mounts, err := inspect.Mounts(os.Getpid())
	if err != nil {
		return err
	}
	ofKernel := []string{"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"}
	for _, m := range mounts {
		below, err := filepath.Rel(writable, m.Mountpoint)
		if err == nil && filepath.IsLocal(below) || slices.Contains(ofKernel, m.FSType) {
			continue
		}
		// mount -o remount,bind,ro MOUNTPOINT
		readonly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		err = unix.MountSetattr(unix.AT_FDCWD, m.Mountpoint, 0, readonly)
		// What lies below another mount cannot be reached, by anybody.
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make %s read-only: %w", m.Mountpoint, err)
		}
	}
	return nil
}

// answer asks one check after another, up to the first that fails, and prints
// what each says. It reports whether it came to the last.
func (o Orders) answer() (whole bool, err error) {
	root, agent, err := o.root()
	if err != nil {
		return false, err
	}
	answers := json.NewEncoder(os.Stdout)
	missing := lacking(o.Step)
	for i, c := range o.Checks() {
		if i < o.From {
			continue
		}
		a := Answer{Step: o.Step, Name: c.Name, Verdict: Skip, Reason: missing}
		if missing == "" {
			a = o.ask(c, i, root, agent)
		}
		if err := answers.Encode(a); err != nil {
			return false, fmt.Errorf("print an answer: %w", err)
		}
		if a.Verdict != Pass && missing == "" || o.alone(i) {
			return false, nil // who could not answer may have been robbed of the host, too
		}
	}
	return true, nil
}

// root writes the built-in root file system and gives the agent a name there
// that no program can know.
func (o Orders) root() (root, agent string, err error) {
	dir, err := os.MkdirTemp(o.Dir, "judge-")
	if err != nil {
		return "", "", fmt.Errorf("make a directory for the root: %w", err)
	}
	// The container's root may be somebody else outside: it has to get through.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", "", err
	}
	root = filepath.Join(dir, "root")
	source, err := baseroot.ParseSource("box")
	if err != nil {
		return "", "", err
	}
	source.Lab, source.Linked = o.Lab, o.Linked
	if err := baseroot.Write(root, source); err != nil {
		return "", "", err
	}
	agent = strings.ToLower(rand.Text()[:4] + "/" + rand.Text()[:8])
	if err := os.Mkdir(filepath.Join(root, filepath.Dir(agent)), 0o755); err != nil {
		return "", "", err
	}
	probe := filepath.Join(root, "bin", "probe")
	return root, agent, os.Rename(probe, filepath.Join(root, agent))
}

// ask has one check answer. What the check may choose it chooses by the seed
// and its own number, so that it can be asked alone and again.
func (o Orders) ask(c check.Check, number int, root, agent string) Answer {
	as := o.As
	if as == "" {
		as = o.Step
	}
	s := &check.Subject{
		Step: as, Program: o.Program, Root: root, Agent: agent, Lab: o.Lab,
		Rand: mathrand.New(mathrand.NewPCG(o.Seed, uint64(number))), //nolint:gosec // it is small
	}
	a := Answer{Step: o.Step, Name: c.Name, Verdict: Pass}
	began := time.Now()
	err := c.Run(context.Background(), s)
	a.Millis = time.Since(began).Milliseconds()
	if failure, failed := errors.AsType[*check.Failure](err); failed {
		a.Verdict, a.Failure, a.Late = Fail, failure, check.Unjudged(err)
	} else if reason, skipped := check.Skipped(err); skipped {
		a.Verdict, a.Reason = Skip, reason
	} else if err != nil {
		a.Verdict, a.Failure = Fail, unseen(err)
	}
	return a
}

// unseen is the failure of a program at which a check could not even look.
func unseen(err error) *check.Failure {
	return &check.Failure{
		Expected: "the container can be looked at while it runs", Kernel: err.Error(),
		Diagnosis: "The container ended, or took away from the host what the check looks at, " +
			"before the check was done.",
	}
}

// lacking tells what a step's checks need and this machine does not have.
func lacking(step string) string {
	if step != "05-cgroups" {
		return ""
	}
	for _, controller := range []string{"memory", "cpu", "pids"} {
		if err := need.TryCgroup(controller); err != nil {
			return err.Error()
		}
	}
	return ""
}

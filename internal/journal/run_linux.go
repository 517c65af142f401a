package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// Plan is what a command is about to make on the host.
type Plan struct {
	// Command is the command line, for people.
	Command []string
	// Step is the step whose program runs, empty if none does.
	Step string
	// Bridge says that the step may make its bridge and rules.
	Bridge bool
	// Cgroups are the parents in which a cgroup named lab-PID-NAMESPACE may be
	// made.
	Cgroups []string
	// Upper is the directory of an overlay beside which its working directory
	// will be made; empty if none.
	Upper string
	// Directory is the one that will be made, of a name that all checks of a
	// user share, lab-check-UID; empty if the run is to have one of its own.
	Directory string
}

// Run is one run of a command that makes something on the host: what stands
// in its file. It is a few words of JSON that a person can read:
//
//	{
//	  "id": "k3jq7r5w2m",
//	  "command": ["lab", "run", "04"],
//	  "step": "04-net",
//	  "boot": "2ae3f2c4-…",
//	  "pid_namespace": 4026531836,
//	  "directory": "/tmp/lab-k3jq7r5w2m",
//	  "bridge": "lab0",
//	  "processes": [{"role": "step", "pid": 4711, "start": "873162"}, …
type Run struct {
	ID      string    `json:"id"`
	Command []string  `json:"command"`
	Step    string    `json:"step,omitempty"`
	Started time.Time `json:"started"`

	// A pid means something in one boot and one pid namespace alone.
	Boot         string    `json:"boot"`
	PIDNamespace uint64    `json:"pid_namespace"`
	Processes    []Process `json:"processes"`

	// What it may make: a directory, the bridge and with it the table ip lab
	// and rules with the bridge's name as their comment, cgroups named
	// lab-PID-NAMESPACE, and an overlay's working directory.
	Directory string   `json:"directory"`
	Left      bool     `json:"left,omitempty"` // the directory, for people to look into
	Bridge    string   `json:"bridge,omitempty"`
	Cgroups   []parent `json:"cgroups,omitempty"`
	Work      string   `json:"work,omitempty"`

	// Before is what there was when the run began, and where that was read.
	Before      *Snapshot         `json:"before,omitempty"`
	BeforeWhere map[string]uint64 `json:"before_where,omitempty"`

	// file is this run's; it stays open, and locked, while the run goes on.
	file *store
}

// The roles of a run's processes.
const (
	RoleLab       = "lab"       // the command of lab itself
	RoleStep      = "step"      // the step's program
	RoleContainer = "container" // the container's first process
	RoleAllocator = "allocator" // of lab oom
)

// Process is a process that can be told from every other of this boot.
type Process struct {
	Role  string `json:"role"`
	PID   int    `json:"pid"`
	Start string `json:"start"` // field 22 of /proc/PID/stat, clock ticks since boot
}

// Begin writes down what is about to be made, and takes a snapshot of what
// there is. The run that it returns is good also when it could not be written:
// the error says what will not be found if the run is killed.
func Begin(plan Plan) (*Run, error) {
	r := &Run{
		ID:      newID(),
		Command: plan.Command, Step: plan.Step,
		Started: time.Now(),
	}
	if plan.Bridge {
		r.Bridge = bridgeName
	}
	temporary, err := filepath.Abs(os.TempDir())
	if err != nil {
		return nil, err
	}
	r.Directory = filepath.Join(temporary, directoryPrefix+r.ID)
	if plan.Directory != "" {
		r.Directory = plan.Directory
	}
	for _, dir := range plan.Cgroups {
		r.Cgroups = append(r.Cgroups, parentNow(dir))
	}
	if plan.Upper != "" {
		r.Work = workOf(plan.Upper)
	}
	return r, r.begin()
}

// begin fills in what the kernel knows and writes the file.
func (r *Run) begin() (err error) {
	if r.Boot, r.PIDNamespace, err = here(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	lab, err := thisProcess(RoleLab, os.Getpid())
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	r.Processes = []Process{lab}
	before, err := cleanScope().Take()
	if err == nil {
		r.Before, r.BeforeWhere = &before, whereRead()
	}
	file, err := newStore(r.ID)
	if err != nil {
		return err
	}
	if err := file.write(r, true); err != nil {
		return err
	}
	r.file = file
	if filepath.Base(r.Directory) == directoryPrefix+r.ID {
		return nil
	}
	return r.forgetOthers()
}

// MakeDirectory makes the run's temporary directory. Everybody may pass: the
// container's root may be somebody else outside.
func (r *Run) MakeDirectory() error {
	if err := os.Mkdir(r.Directory, 0o755); err != nil {
		r.Directory = "" // not ours to remove
		return fmt.Errorf("make a directory for the root: %w", err)
	}
	return os.Chmod(r.Directory, 0o755) // whatever the umask is
}

// Note adds a process to the run's file.
func (r *Run) Note(role string, pid int) error {
	p, err := thisProcess(role, pid)
	if err != nil {
		return err
	}
	r.Processes = append(r.Processes, p)
	if r.file == nil {
		return nil
	}
	// Without a sync: after a crash of the machine no process is left.
	return r.file.write(r, false)
}

// End removes the run's directory and, if nothing of it is left, its file.
func (r *Run) End() error {
	if err := removeDirectory(r.Directory); err != nil {
		return errors.Join(err, r.file.close())
	}
	return r.file.remove()
}

// Leave ends a run whose directory stays, for people to look into. Clean removes it,
// and Begin of the next run with that directory forgets this one.
func (r *Run) Leave() error {
	if r.file == nil {
		return nil
	}
	r.Left, r.Before = true, nil
	return errors.Join(r.file.write(r, true), r.file.close())
}

// forgetOthers removes the files of runs that have ended and had this run's directory.
func (r *Run) forgetOthers() error {
	all, err := load(true)
	for _, s := range all {
		if s.broken == nil && !s.active && s.Directory == r.Directory && s.ID != r.ID {
			err = errors.Join(err, s.file.remove())
		}
		err = errors.Join(err, s.file.close())
	}
	return err
}

// title names the run for people.
func (r *Run) title() string {
	words := strings.Join(r.Command, " ")
	return fmt.Sprintf("`%s` of %s", words, r.Started.Local().Format(time.DateTime))
}

// newID returns a name that no other run has: 50 random bits.
func newID() string { return strings.ToLower(rand.Text()[:idLength]) }

const (
	idLength        = 10
	directoryPrefix = "lab-"
)

// checkDirectory is what the directory of lab check is called: by the user's number,
// how that user came to be root, and a number where the name was taken.
//
//	lab-check-1000        lab-check-1000-sudo-1
var checkDirectory = regexp.MustCompile(`^lab-check-[0-9]+(-sudo)?(-[0-9]+)?$`)

// validID reports whether a text can be a run's name.
func validID(text string) bool {
	return len(text) == idLength && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// here names this boot and this pid namespace.
func here() (boot string, namespace uint64, err error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0, fmt.Errorf("name this boot: %w", err)
	}
	namespace, err = inode("/proc/self/ns/pid")
	return strings.TrimSpace(string(text)), namespace, err
}

// inode returns the number that names a namespace.
func inode(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", path, err)
	}
	return st.Ino, nil
}

// thisProcess describes a living process.
func thisProcess(role string, pid int) (Process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, fmt.Errorf("note process %d: %w", pid, err)
	}
	p, err := parseStat(text)
	if err != nil {
		return Process{}, fmt.Errorf("note process %d: %w", pid, err)
	}
	return Process{Role: role, PID: pid, Start: p.start}, nil
}

// lives reports whether this very process is still there and not a zombie. It
// means something in the boot and the pid namespace alone that the process was
// noted in.
func (p Process) lives() bool {
	now, err := inspect.ReadProcess(p.PID)
	return err == nil && p.PID > 1 && strconv.FormatUint(now.Start, 10) == p.Start &&
		now.State != 'Z' && now.State != 'X'
}

// whereRead names the namespaces from which a snapshot is read.
func whereRead() map[string]uint64 {
	where := map[string]uint64{}
	for _, kind := range []string{"mnt", "net", "cgroup"} {
		if number, err := inode("/proc/self/ns/" + kind); err == nil {
			where[kind] = number
		}
	}
	return where
}

// cleanScope is what a run's before and after are compared by. Processes are
// left out: whose descendants they are has changed by then.
func cleanScope() Scope { return Scope{Without: []Kind{Processes}} }

// workOf is the name of an overlay's working directory, empty if it is there
// already: then it is not this run's to remove.
func workOf(upper string) string {
	upper, err := filepath.Abs(upper)
	if err == nil {
		upper, err = filepath.EvalSymlinks(upper)
	}
	if err != nil {
		return "" // the step will say why
	}
	work := upper + ".work"
	if _, err := os.Lstat(work); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return work
}

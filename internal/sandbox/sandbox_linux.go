// Package sandbox runs a test binary in a throw-away host, so that a bug in a
// privileged test (a stray mount, a kill(-1), a bridge left behind) cannot
// reach the machine, packages test side by side, and what a test leaves
// behind can be told exactly:
//
//	func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }
//
// and with testscript:
//
//	func TestMain(m *testing.M) { testscript.Main(sandbox.Wrap(m), commands) }
//
// The throw-away host has mount, pid, network, ipc, uts and cgroup namespaces
// of its own; for an ordinary user a user namespace around them, in which the
// user is root. Its /proc, /sys and /run are its own, lo is up, and its
// cgroup is the root of every hierarchy it sees. Other files are the
// machine's (the working directory, the caches, /tmp), and so is what no
// namespace divides: the clock, modules, sysctls such as kernel.pid_max.
//
// The test binary executes itself three times over:
//
//	outer   what `go test` started: makes the cgroups, waits, removes them
//	enter   PID 1 of the new host: joins the cgroups, leaves the old cgroup
//	        namespace, and becomes, by execve(2),
//	init    PID 1: mounts, starts the tests, reaps, forwards signals, and at
//	        last compares the host with what it was (internal/journal)
//	tests   runs the tests, as init's child
//
// Where namespaces are forbidden the outer process says so in one line and
// runs the tests itself; those that ask for a sandbox (need.Sandbox) skip.
// See namespaces(7), cgroup_namespaces(7), pid_namespaces(7).
package sandbox

import (
	"encoding/json"
	"fmt"
	"os"

	"lab/internal/need"
)

// M is what runs the tests: a *testing.M, or something around it.
type M interface{ Run() int }

// Furnisher is an M that makes of the throw-away host what it needs. The host's
// first process calls it, before it looks what the host is like: what Furnish
// changes is not taken for something that Run has left.
type Furnisher interface{ Furnish() error }

// Limiter is an M whose tests use more controllers of cgroup version 1 than cpu,
// memory and pids: freezer, devices and the like.
type Limiter interface{ Controllers() []string }

// Leaver is an M that tells by its exit status that nobody is to look for what it
// has left on the throw-away host, which ends anyway.
type Leaver interface{ MayLeave(status int) bool }

// The stages that follow the outer process.
const (
	stageEnter = "enter"
	stageInit  = "init"
	stageTests = "tests"
)

// variable carries the stage and its orders to the next process. It is
// removed from the environment at once, so that no program sees it which the
// tests start: a test binary among them would take itself for a stage.
const variable = "LAB_SANDBOX"

// orders is what one stage tells the next.
type orders struct {
	Stage   string   `json:"stage"`
	Cgroups []cgroup `json:"cgroups,omitempty"`
	// Outside names the namespaces that the outer process is in: those in
	// which nothing may be mounted.
	Outside map[string]string `json:"outside,omitempty"`
}

// Run runs the tests in a throw-away host and returns the exit status of the
// test binary. In a throw-away host already it runs the tests where it is.
func Run(m M) int { return Wrap(m).Run() }

// Wrap returns an M that runs the tests of m in a throw-away host. In a
// process that is one of the sandbox's own stages Wrap does the stage's work
// and does not return.
func Wrap(m M) M { return wrapped{m, takeStage(m)} }

// Fresh runs m in a throw-away host of its own, also from within another one.
// An error means that there can be none, and that m has not run.
func Fresh(m M) (int, error) {
	if takeStage(m) == stageTests {
		return m.Run(), nil
	}
	return runOuter(m, maxTasksFresh)
}

// takeStage does the work of the sandbox's own stages, which do not return
// from it, and tells which of the others this process is.
func takeStage(m M) string {
	given, err := takeOrders()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(statusOurs)
	}
	switch given.Stage {
	case stageEnter:
		os.Exit(report(enter(given)))
	case stageInit:
		os.Exit(runInit(given, m))
	}
	return given.Stage
}

type wrapped struct {
	m     M
	stage string
}

func (w wrapped) Run() int {
	if w.stage == stageTests || Active() {
		return w.m.Run()
	}
	status, err := runOuter(w.m, maxTasks)
	if err == nil {
		return status
	}
	const line = "sandbox: no throw-away host: %v: tests that need one are skipped\n"
	fmt.Fprintf(os.Stderr, line, err)
	return w.m.Run()
}

// Active reports whether this process runs in a throw-away host.
func Active() bool { return need.InSandbox() }

// takeOrders reads the orders of the stage before and removes them.
func takeOrders() (orders, error) {
	text, given := os.LookupEnv(variable)
	if !given {
		return orders{}, nil
	}
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return o, fmt.Errorf("read %s: %w", variable, err)
	}
	if err := os.Unsetenv(variable); err != nil {
		return o, fmt.Errorf("unset %s: %w", variable, err)
	}
	return o, nil
}

// environ is this process's environment with orders for the next stage.
func (o orders) environ() ([]string, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", variable, err)
	}
	return append(os.Environ(), variable+"="+string(text)), nil
}

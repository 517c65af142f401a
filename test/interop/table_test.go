package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"lab/internal/journal"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// engines are the columns of the table.
var engines = []string{"podman", "containerd", "buildah", "docker"}

// rows are the cases, in the order of the table.
var rows = []string{
	"run", "exit status", "stdin", "terminal", "detached", "create and start", "exec",
	"exec terminal", "exec detached", "logs", "stop", "kill", "pause", "wait", "restart", "limits",
	"update",
	"oom", "volumes", "tmpfs", "read-only", "capabilities", "no-new-privileges", "seccomp",
	"user", "user namespace", "shared namespaces", "devices", "sysctl and ulimit", "init",
	"stats", "top", "events", "healthcheck", "build", "privileged", "oom score", "nothing left",
}

// cases are what one engine is tried with, by the name of the row.
type cases map[string]func(t *testing.T)

// failed is the word of a case that does not hold.
const failed = "FAILS"

// join puts cases together.
func join(some ...cases) cases {
	all := cases{}
	for _, c := range some {
		maps.Copy(all, c)
	}
	return all
}

// verdicts are the table: for each engine and row a word.
type verdicts struct {
	mutex sync.Mutex
	words map[[2]string]string
}

// found is the table of this run.
var found = &verdicts{words: map[[2]string]string{}}

// set notes a verdict.
func (v *verdicts) set(engine, row, word string) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.words[[2]string{engine, row}] == "" || word == failed {
		v.words[[2]string{engine, row}] = word
	}
}

// print prints the table, if anything was tried.
//
//	case         podman   containerd   buildah   docker
//	run          ok       ok           ok        ok
//	oom score    machine  -            -         machine
func (v *verdicts) print(to io.Writer) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if len(v.words) == 0 {
		return
	}
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "case\t"+strings.Join(engines, "\t"))
	for _, row := range rows {
		fmt.Fprint(w, row)
		for _, engine := range engines {
			word := v.words[[2]string{engine, row}]
			if word == "" {
				word = "-"
			}
			fmt.Fprint(w, "\t"+word)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // as good as standard output is
	fmt.Fprintln(to, "ok: it holds; -: the engine has no such thing, or was not tried;")
	fmt.Fprintln(to, "machine: neither runc nor minirun can, on this machine")
}

// try runs an engine's cases, in the order of the table.
func (c cases) try(t *testing.T, engine string) {
	t.Helper()
	for name := range c {
		require.Contains(t, rows, name)
	}
	for _, row := range rows {
		test := c[row]
		if test == nil {
			continue
		}
		t.Run(row, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					found.set(engine, row, failed)
				} else {
					found.set(engine, row, "ok")
				}
			})
			test(t)
		})
	}
}

// same tries with runc what a machine may forbid. Where runc can do it, so must the
// runtime that is tested; where both fail the table says that it is the machine.
func same(t *testing.T, engine, row string, try func(runtime string) result, runtime string) {
	t.Helper()
	control := try("runc")
	got := try(runtime)
	if control.status == 0 || got.status == 0 {
		require.NoError(t, got.failure())
		return
	}
	t.Logf("neither can:\n  %v\n  %v", control.failure(), got.failure())
	found.set(engine, row, "machine")
}

// leaves compares the host after an engine's cases with the host before. An engine may
// keep its own directories of cgroups, but nothing in them.
type leaves struct {
	before journal.Snapshot
	parent string
}

// before looks at the host. The engine's cgroups are those below parent.
func before(t *testing.T, parent string) leaves {
	t.Helper()
	states := []string{"/run/minirun", "/run/runc"} // where a runtime that is told no --root
	for _, dir := range states {
		require.NoError(t, os.MkdirAll(dir, 0o700))
	}
	scope := journal.Scope{Whole: true, Files: states}
	snapshot, err := scope.Take()
	require.NoError(t, err)
	return leaves{snapshot, parent}
}

// check removes the engine's empty cgroups and fails if anything else is left.
func (l leaves) check(t *testing.T) {
	t.Helper()
	if l.parent != "" {
		dirs, err := filepath.Glob("/sys/fs/cgroup/*/" + l.parent)
		require.NoError(t, err)
		more, err := filepath.Glob("/sys/fs/cgroup/" + l.parent)
		require.NoError(t, err)
		for _, dir := range slices.Concat(dirs, more) {
			below, err := filepath.Glob(dir + "/*")
			require.NoError(t, err)
			for _, path := range append(below, dir) {
				if info, err := os.Stat(path); err == nil && info.IsDir() {
					removeEmpty(t, path)
				}
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), long)
	defer cancel()
	assert.Empty(t, journal.Settle(ctx, l.before))
}

// removeEmpty removes an engine's cgroup, as soon as the kernel sees that it is empty.
func removeEmpty(t *testing.T, dir string) {
	t.Helper()
	await(t, func() (bool, string) {
		err := os.Remove(dir)
		return err == nil || errors.Is(err, os.ErrNotExist), fmt.Sprint(err)
	})
}

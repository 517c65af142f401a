//go:build linux

package mutation

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check"
	"lab/internal/check/checktest"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host, or judges one program.
func TestMain(m *testing.M) {
	if orders := os.Getenv(variable); orders != "" {
		os.Exit(judge(orders))
	}
	flag.Parse()
	if err := waitTogether(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(sandbox.Run(m))
}

// waitTogether has more tests run at once than there are CPUs, unless somebody
// has said how many: most of their time they wait for what a mutant never does.
func waitTogether() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(3*runtime.NumCPU()))
}

// module is the directory of go.mod, seen from this package's.
const module = "../../.."

// mutation is one way to break a step.
type mutation struct {
	name     string // what is wrong with the program now
	shared   bool   // it shows where the host's mounts are shared
	realRoot bool   // it shows for the machine's root
	v1       bool   // it shows with cgroups of version 1
	unless   string // a check that is skipped with such a reason would show it
	toured   bool   // lab tour has to fail as well; that of the first row always has
	edits    []edit
}

// edit replaces text that a file of the step has exactly once.
type edit struct{ file, old, now string }

// table lists the mutations of all steps. The first of each takes away the flag
// of its namespace, or the one system call that matters.
func table() map[string][]mutation {
	return map[string][]mutation{
		"00-exec":    execMutations(),
		"01-uts":     utsMutations(),
		"02-pid":     pidMutations(),
		"03-mount":   append(mountMutations(), systemMutations()...),
		"04-net":     netMutations(),
		"05-cgroups": cgroupMutations(),
		"06-unionfs": overlayMutations(),
		"07-volumes": volumeMutations(),
		"08-user":    userMutations(),
	}
}

// Each mutant fails a check of its own step, and the first ones their tour.
func TestMutations(t *testing.T) {
	need.Go(t)
	need.Sandbox(t)
	t.Parallel()
	bin := programs(t)
	for step, mutations := range table() {
		t.Run(step, func(t *testing.T) {
			needs(t, step)
			t.Parallel()
			for i, m := range mutations {
				t.Run(m.name, func(t *testing.T) {
					m.needs(t)
					t.Parallel()
					mutant := build(t, step, m.edits)
					failsItsChecks(t, step, mutant, m)
					if i == 0 || m.toured {
						failsItsTour(t, step, mutant, bin)
					}
				})
			}
		})
	}
}

// failsItsChecks lets the checks of a step judge a mutant.
func failsItsChecks(t *testing.T, step, mutant string, m mutation) {
	t.Helper()
	found := ask(t, orders{
		Step: step, Program: mutant, Root: checktest.Root(t), Shared: m.shared,
	})
	if found.Failure == nil && m.unless != "" {
		for _, reason := range found.Skips {
			if strings.Contains(reason, m.unless) {
				t.Skip(reason)
			}
		}
	}
	require.NotNil(t, found.Failure, "all checks pass")
	assert.NotEmpty(t, found.Failure.Diagnosis)
	t.Logf("%s\n%s", found.Check, found.Failure)
}

// needs skips a mutation that cannot be judged here.
func (m mutation) needs(t *testing.T) {
	t.Helper()
	if m.realRoot {
		need.RealRoot(t)
	}
	if m.v1 {
		need.CgroupV1(t, "memory")
	}
}

// needs skips a step's tests where its mechanism cannot be had.
func needs(t *testing.T, step string) {
	t.Helper()
	switch step {
	case "04-net":
		need.Net(t)
	case "05-cgroups":
		need.Cgroup(t, "memory", "cpu", "pids")
	case "06-unionfs":
		need.Overlay(t)
	case "08-user":
		need.UserNS(t)
	}
}

// No step is left out.
func TestEveryStepHasMutations(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(module, "steps", "[0-9]*"))
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		rows := table()[filepath.Base(dir)]
		assert.GreaterOrEqual(t, len(rows), 5, "mutations of %s", filepath.Base(dir))
	}
}

// The program itself passes, or the mutants would prove nothing.
func TestReferencePasses(t *testing.T) {
	need.Sandbox(t)
	t.Parallel()
	for step := range table() {
		for name, shared := range map[string]bool{"private mounts": false, "shared mounts": true} {
			t.Run(step+" on "+name, func(t *testing.T) {
				needs(t, step)
				t.Parallel()
				path, err := program.Path(t.Context(), step)
				require.NoError(t, err)
				found := ask(t, orders{
					Step: step, Program: path, Root: checktest.Root(t), Shared: shared,
				})
				require.Nil(t, found.Failure, found.Check)
			})
		}
	}
}

// The check of an exercise fails before it is done and passes after.
func TestExercises(t *testing.T) {
	need.Go(t)
	need.Sandbox(t)
	t.Parallel()
	root := checktest.Root(t)
	done := map[string][]edit{
		"02-pid": {{
			"main.go", "unix.CLONE_NEWUTS | unix.CLONE_NEWPID,",
			"unix.CLONE_NEWUTS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC,",
		}},
	}
	for step, edits := range done {
		t.Run(step, func(t *testing.T) {
			require.NotEmpty(t, check.Exercise(step))
			before := ask(t, orders{
				Step: step, Program: build(t, step, nil), Root: root, Exercise: true,
			})
			require.NotNil(t, before.Failure)
			assert.NotEmpty(t, before.Failure.Diagnosis)
			after := ask(t, orders{
				Step: step, Program: build(t, step, edits), Root: root, Exercise: true,
			})
			require.Nil(t, after.Failure)
		})
	}
}

// build builds a step with some edits. The checkout stays as it is: the compiler
// is told to read other files in the place of the edited ones.
//
//	{"Replace": {"/src/steps/01-uts/main.go": "/tmp/…/main.go"}}
func build(t *testing.T, step string, edits []edit) string {
	t.Helper()
	top, err := filepath.Abs(module)
	require.NoError(t, err)
	dir := t.TempDir()
	replace := map[string]string{}
	for _, e := range edits {
		original := filepath.Join(top, "steps", step, e.file)
		edited := filepath.Join(dir, e.file)
		source := original
		if replace[original] != "" {
			source = edited // the second edit of this file
		}
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), e.old), "%s has once %q", e.file, e.old)
		text = []byte(strings.Replace(string(text), e.old, e.now, 1))
		require.NoError(t, os.WriteFile(edited, text, 0o600))
		replace[original] = edited
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))

	out := filepath.Join(dir, step)
	cmd := exec.CommandContext(t.Context(), need.Go(t), "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w", "-overlay", file, "-o", out, program.Package(step))
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	return out
}

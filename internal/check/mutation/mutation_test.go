//go:build linux

package mutation

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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
	os.Exit(sandbox.Run(m))
}

// module is the directory of go.mod, seen from this package's.
const module = "../../.."

// mutation is one way to break a step.
type mutation struct {
	name     string // what is wrong with the program now
	shared   bool   // it shows where the host's mounts are shared
	realRoot bool   // it shows for the machine's root
	edits    []edit
}

// edit replaces text that a file of the step has exactly once.
type edit struct{ file, old, now string }

// table lists the mutations of all steps.
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

func TestMutations(t *testing.T) {
	need.Go(t)
	need.Sandbox(t)
	for step, mutations := range table() {
		t.Run(step, func(t *testing.T) {
			needs(t, step)
			for _, m := range mutations {
				t.Run(m.name, func(t *testing.T) {
					if m.realRoot {
						need.RealRoot(t)
					}
					t.Parallel()
					found := ask(t, orders{
						Step: step, Program: build(t, step, m.edits),
						Root: checktest.Root(t), Shared: m.shared,
					})
					require.NotNil(t, found.Failure, "all checks pass")
					assert.NotEmpty(t, found.Failure.Diagnosis)
					t.Logf("%s\n%s", found.Check, found.Failure)
				})
			}
		})
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
		assert.NotEmpty(t, table()[filepath.Base(dir)], "mutations of %s", filepath.Base(dir))
	}
}

// The program itself passes, or the mutants would prove nothing.
func TestReferencePasses(t *testing.T) {
	need.Sandbox(t)
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

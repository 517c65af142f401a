//go:build linux

package corpus_test

import (
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

	"lab/internal/corpus"
	"lab/internal/course"
	"lab/internal/judge"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
)

func TestMain(m *testing.M) {
	if judge.Asked() {
		os.Exit(judge.Main())
	}
	flag.Parse()
	if err := waitTogether(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(sandbox.Run(m))
}

// waitTogether has more tests run at once than there are CPUs, unless somebody
// has said how many: most of their time they wait for what a program never does.
func waitTogether() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(3*runtime.NumCPU()))
}

// load reads the entries of the checkout that the test runs in.
func load(t *testing.T) (checkout string, entries []corpus.Entry) {
	t.Helper()
	checkout, err := program.Checkout()
	require.NoError(t, err)
	entries, err = corpus.Load(checkout)
	require.NoError(t, err)
	return checkout, entries
}

// place makes a directory that a program may write to.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) //nolint:gosec // for a container's root
	return dir
}

// Programs are judged as they have to be, and lab tour notices what it must: here
// those that the tour notices and the cheats, with LAB_CORPUS=all every one.
func TestPrograms(t *testing.T) {
	need.Sandbox(t)
	t.Parallel()
	checkout, entries := load(t)
	lab, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	groups := map[string][]corpus.Entry{}
	for _, e := range entries {
		if !e.Toured && e.Kind != corpus.Cheats && os.Getenv("LAB_CORPUS") != "all" {
			continue // `lab dev check` judges all of them
		}
		groups[e.Kind+"/"+e.Step] = append(groups[e.Kind+"/"+e.Step], e)
	}
	for name, group := range groups {
		t.Run(name, func(t *testing.T) {
			needsOf(t, group[0].Step)
			t.Parallel()
			for _, e := range group {
				t.Run(e.Name, func(t *testing.T) {
					for _, thing := range e.Needs {
						needs(t, thing)
					}
					t.Parallel()
					judged(t, checkout, lab, e)
				})
			}
		})
	}
}

// judged has one entry judged, and shown by the tour if that has to notice it.
func judged(t *testing.T, checkout, lab string, e corpus.Entry) {
	t.Helper()
	path := build(t, checkout, e)
	o, err := e.Judge(t.Context(), judge.Orders{
		Program: path, Lab: lab, Dir: place(t), Seed: 1,
	})
	require.NoError(t, err)
	if o.Failure == nil && len(o.Skips) > 0 && e.Diagnosis != "" {
		t.Skip(o.Skips[0])
	}
	require.Empty(t, o.Wrong)
	if e.Toured {
		failsItsTour(t, e, path, lab)
	}
}

// needs skips an entry that cannot be judged here.
func needs(t *testing.T, thing string) {
	t.Helper()
	switch thing {
	case "real root":
		need.RealRoot(t)
	case "cgroup v1":
		need.CgroupV1(t, "memory")
	case "cgroup v2":
		need.CgroupV2(t)
	default:
		t.Fatalf("nobody knows what it is to need %q", thing)
	}
}

// build builds the program of an entry.
func build(t *testing.T, checkout string, e corpus.Entry) string {
	t.Helper()
	need.Go(t)
	out := filepath.Join(t.TempDir(), e.Step)
	require.NoError(t, e.Build(t.Context(), checkout, out))
	return out
}

// failsItsTour lets lab tour show a step whose program is wrong.
func failsItsTour(t *testing.T, e corpus.Entry, wrong, lab string) {
	t.Helper()
	dir := place(t)
	real, err := program.Path(t.Context(), e.Step)
	require.NoError(t, err)
	for _, s := range course.Steps() {
		path := filepath.Join(filepath.Dir(real), s.ID)
		if s.ID == e.Step {
			path = wrong
		}
		require.NoError(t, os.Symlink(path, filepath.Join(dir, s.ID)))
	}
	require.NoError(t, os.Symlink(lab, filepath.Join(dir, "lab")))
	shown, status, err := judge.Inside(t.Context(), judge.Orders{
		Dir: dir, Command: []string{
			"/usr/bin/env", "LAB_BIN=" + dir, "HOME=" + dir,
			filepath.Join(dir, "lab"), "tour", e.Step,
		},
	})
	require.NoError(t, err)
	assert.Equal(t, 1, status)
	_, scene, begun := strings.Cut(shown, "\n"+e.Step+"  ")
	require.True(t, begun, "the step's entry: %s", shown)
	assert.Contains(t, scene, "FAIL: ")
	assert.Regexp(t, `(?m)^0 shown, 0 skipped, 1 failed, host (un)?changed: `, scene)
}

// The check of an exercise fails before the exercise is done and passes after.
func TestExercises(t *testing.T) {
	need.Sandbox(t)
	t.Parallel()
	checkout, _ := load(t)
	exercises, err := corpus.LoadExercises(checkout)
	require.NoError(t, err)
	require.NotEmpty(t, exercises)
	lab, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	for _, e := range exercises {
		t.Run(e.ID(), func(t *testing.T) {
			reference, err := program.Path(t.Context(), e.Step)
			require.NoError(t, err)
			before, after := "", ""
			for path, verdict := range map[string]*string{
				reference: &before, build(t, checkout, e): &after,
			} {
				err := judge.Run(t.Context(), judge.Orders{
					Step: e.Step, Program: path, Lab: lab, Dir: place(t), Exercise: true,
				}, func(a judge.Answer) error {
					*verdict = a.Verdict
					return nil
				})
				require.NoError(t, err)
			}
			assert.Equal(t, judge.Fail, before)
			assert.Equal(t, judge.Pass, after)
		})
	}
}

// Every diff fits the reference program as it is now.
func TestDiffsApply(t *testing.T) {
	checkout, entries := load(t)
	for _, e := range entries {
		if filepath.Ext(e.Path) == ".diff" {
			cmd := exec.CommandContext(t.Context(), "git", "apply", "--check", e.Path)
			cmd.Dir = filepath.Join(checkout, "steps", e.Step)
			cmd.Env = append(os.Environ(), "GIT_DIR=/dev/null")
			said, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s: %s", e.ID(), said)
		}
	}
}

// The least that there has to be of each kind.
func TestThereAreEnough(t *testing.T) {
	_, entries := load(t)
	count := map[string]int{}
	toured := map[string]bool{}
	for _, e := range entries {
		count[e.Kind+"/"+e.Step]++
		count[e.Kind]++
		toured[e.Step] = toured[e.Step] || e.Toured
	}
	for _, s := range course.Steps() {
		assert.GreaterOrEqual(t, count[corpus.Mistakes+"/"+s.ID], 8, "mistakes in %s", s.ID)
		assert.GreaterOrEqual(t, count[corpus.Variants+"/"+s.ID], 3, "variants of %s", s.ID)
		assert.True(t, toured[s.ID], "a mistake in %s that lab tour notices", s.ID)
	}
	assert.GreaterOrEqual(t, count[corpus.Mistakes], 72)
	assert.GreaterOrEqual(t, count[corpus.Cheats], 12)
}

//go:build linux

package mutation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check/checktest"
	"lab/internal/course"
	"lab/internal/need"
	"lab/internal/workspace"
)

// skeleton is a step as `lab start` makes it, and for which reasons it fails.
type skeleton struct {
	step   string
	check  string // the first that fails
	begins string // what the kernel says at first: the topic is not there at all
	edited string // and when the edits of START.md are made: nothing does the work
}

// skeletons lists the reasons that are intended.
func skeletons() []skeleton {
	return []skeleton{
		{
			"00-exec", "the arguments arrive whole",
			"start is not written yet", "start is not written yet",
		},
		{
			"01-uts", "the container has a UTS namespace of its own",
			"cloned without CLONE_NEWUTS", "initialize is not written yet",
		},
		{
			"02-pid", "the container has a PID namespace of its own",
			"cloned without CLONE_NEWPID", "supervise is not written yet",
		},
		{
			"03-mount", "the container has a mount namespace of its own",
			"flag provided but not defined: -rootfs", "enterRoot is not written yet",
		},
		{
			"04-net", "the container has a network namespace of its own",
			"cloned without CLONE_NEWNET", "makeBridge is not written yet",
		},
		{
			"05-cgroups", "each limit puts the container into a cgroup of its own",
			"flag provided but not defined: -memory", "limit is not written yet",
		},
		{
			"06-unionfs", "its root is an overlay in which the upper layer hides the lower",
			"flag provided but not defined: -lower", "mountLayers is not written yet",
		},
		{
			"07-volumes", "the host sees no mount, and its files stay",
			"flag provided but not defined: -v", "openVolumes is not written yet",
		},
		{
			"08-user", "with -user the container has a user namespace of its own",
			"flag provided but not defined: -user", "isolate is not written yet",
		},
	}
}

// What a learner begins with fails for the reason that it is not written, first as
// it is and then with the edits in carried files, which START.md lists.
func TestSkeletonsFailAsIntended(t *testing.T) {
	need.Go(t)
	need.Sandbox(t)
	t.Parallel()
	w, err := workspace.Find(filepath.Join(t.TempDir(), "workspace"))
	require.NoError(t, err)
	for _, s := range skeletons() {
		_, err := w.Start(t.Context(), s.step, workspace.Reference)
		require.NoError(t, err)
	}
	for _, s := range skeletons() {
		t.Run(s.step, func(t *testing.T) {
			needs(t, s.step)
			t.Parallel()
			s.fails(t, w, s.begins)
			makeEdits(t, w, s.step)
			s.fails(t, w, s.edited)
		})
	}
}

// fails builds a skeleton and has it judged.
func (s skeleton) fails(t *testing.T, w *workspace.Workspace, reason string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), s.step)
	require.NoError(t, w.Build(t.Context(), s.step, out))
	found := ask(t, orders{Step: s.step, Program: out, Root: checktest.Root(t)})
	require.NotNil(t, found.Failure, "all checks pass")
	assert.Equal(t, s.check, found.Check)
	assert.Contains(t, found.Failure.Error(), reason)
}

// makeEdits changes the carried files of a skeleton as the reference does.
func makeEdits(t *testing.T, w *workspace.Workspace, step string) {
	t.Helper()
	path := course.UpTo(step)
	if len(path) < 2 {
		return
	}
	parent, err := workspace.ReferenceOf(path[len(path)-2].ID)
	require.NoError(t, err)
	reference, err := workspace.ReferenceOf(step)
	require.NoError(t, err)
	for name := range parent {
		text := string(reference[name])
		if step == "04-net" {
			// Its stub has it, for the new files use it before any edit.
			text = strings.Replace(text, "var errNoNftables = ", "var _ = ", 1)
		}
		require.NoError(t, os.WriteFile(filepath.Join(w.StepDir(step), name), []byte(text), 0o600))
	}
}

// No step is left out.
func TestEveryStepHasASkeleton(t *testing.T) {
	var steps []string
	for _, s := range skeletons() {
		steps = append(steps, s.step)
	}
	var all []string
	for _, s := range course.Steps() {
		all = append(all, s.ID)
	}
	assert.Equal(t, all, steps)
}

//go:build linux

package corpus_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check"
	"lab/internal/corpus"
	"lab/internal/judge"
	"lab/internal/need"
	"lab/internal/program"
)

// What a learner begins with fails the first check of its step, for the reason
// that its topic is not written: first as it is, and then with the edits in
// carried files, which START.md lists.
func TestSkeletonsFailAsIntended(t *testing.T) {
	need.Go(t)
	need.Sandbox(t)
	t.Parallel()
	reasons := map[string]string{
		"00-exec/begun":     "start is not written yet",
		"01-uts/begun":      "cloned without CLONE_NEWUTS",
		"02-pid/begun":      "cloned without CLONE_NEWPID",
		"03-mount/begun":    "flag provided but not defined: -rootfs",
		"04-net/begun":      "cloned without CLONE_NEWNET",
		"05-cgroups/begun":  "flag provided but not defined: -memory",
		"06-unionfs/begun":  "flag provided but not defined: -lower",
		"07-volumes/begun":  "flag provided but not defined: -v",
		"08-user/begun":     "flag provided but not defined: -user",
		"00-exec/edited":    "start is not written yet",
		"01-uts/edited":     "initialize is not written yet",
		"02-pid/edited":     "supervise is not written yet",
		"03-mount/edited":   "enterRoot is not written yet",
		"04-net/edited":     "makeBridge is not written yet",
		"05-cgroups/edited": "limit is not written yet",
		"06-unionfs/edited": "mountLayers is not written yet",
		"07-volumes/edited": "openVolumes is not written yet",
		"08-user/edited":    "isolate is not written yet",
	}
	for _, e := range slices.Concat(corpus.Begun(), corpus.Edited()) {
		t.Run(e.Step+"/"+e.Name, func(t *testing.T) {
			t.Parallel()
			needsOf(t, e.Step)
			o := judged(t, e)
			assert.Empty(t, o.Wrong)
			require.NotNil(t, o.Failure)
			assert.Contains(t, o.Failure.Error(), reasons[e.Step+"/"+e.Name])
			assert.Equal(t, check.Of(e.Step)[0].Name, o.Failed)
		})
	}
}

// needsOf skips a step's tests where its mechanism cannot be had.
func needsOf(t *testing.T, step string) {
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

// judged builds an entry's program and has it judged.
func judged(t *testing.T, e corpus.Entry) corpus.Outcome {
	t.Helper()
	lab, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), e.Step)
	checkout, err := program.Checkout()
	require.NoError(t, err)
	require.NoError(t, e.Build(t.Context(), checkout, path))
	o, err := e.Judge(t.Context(), judge.Orders{Program: path, Lab: lab, Dir: place(t), Seed: 1})
	require.NoError(t, err)
	return o
}

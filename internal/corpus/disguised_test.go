//go:build linux

package corpus_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/corpus"
	"lab/internal/course"
	"lab/internal/judge"
	"lab/internal/need"
	"lab/internal/program"
)

// A diagnosis is the kernel's word: the program in which no identifier is what it
// was, stripped, gets the same one, and so it does when it has other words for what
// went wrong. Here two mistakes of a step, with LAB_CORPUS=all every one.
func TestDisguised(t *testing.T) {
	need.Go(t)
	need.Sandbox(t)
	t.Parallel()
	checkout, entries := load(t)
	lab, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	exported := exports(t, checkout)
	for _, e := range someMistakes(entries) {
		t.Run(e.Step+"/"+e.Name, func(t *testing.T) {
			needsOf(t, e.Step)
			for _, thing := range e.Needs {
				needs(t, thing)
			}
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x")
			require.NoError(t, e.BuildChanged(t.Context(), checkout, path, func(dir string) error {
				return disguise(dir, exported)
			}))
			o, err := e.Judge(t.Context(), judge.Orders{
				Program: path, Lab: lab, Dir: place(t), Seed: 1,
			})
			require.NoError(t, err)
			assert.Empty(t, o.Wrong)
		})
	}
}

// telling are mistakes that a program tells of, most of them by giving up: all that a
// check has at first is an exit status and what the program says.
var telling = []string{
	"every-failure-is-exit-status-1", "the-parent-runs-the-command", "mounts-stay-shared",
	"eth0-stays-down", "swap-is-limited-before-memory", "work-is-on-another-file-system",
	"volumes-are-bound-after-pivot-root", "the-child-writes-its-maps",
}

// someMistakes chooses what is judged in disguise: in each step the first one and one
// that its program tells of.
func someMistakes(entries []corpus.Entry) []corpus.Entry {
	var some []corpus.Entry
	for _, s := range course.Steps() {
		of := slices.DeleteFunc(slices.Clone(entries), func(e corpus.Entry) bool {
			return e.Step != s.ID || e.Kind != corpus.Mistakes || filepath.Ext(e.Path) != ".diff"
		})
		if os.Getenv("LAB_CORPUS") == "all" {
			some = append(some, of...)
			continue
		}
		told := slices.IndexFunc(of, func(e corpus.Entry) bool {
			return slices.Contains(telling, e.Name)
		})
		some = append(some, of[0])
		if told > 0 {
			some = append(some, of[told])
		}
	}
	return some
}

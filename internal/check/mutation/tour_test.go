//go:build linux

package mutation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/course"
	"lab/internal/need"
	"lab/internal/program"
)

// programs returns the paths of all real programs by their names.
func programs(t *testing.T) map[string]string {
	t.Helper()
	names := []string{"lab"}
	for _, s := range course.Steps() {
		names = append(names, s.ID)
	}
	paths, err := program.Paths(t.Context(), names...)
	require.NoError(t, err)
	return paths
}

// binWith makes a directory of programs in which one is a mutant.
func binWith(t *testing.T, real map[string]string, step, mutant string) string {
	t.Helper()
	dir := t.TempDir()
	for name, path := range real {
		if name == step {
			path = mutant
		}
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	return dir
}

// failsItsTour shows a mutant. The tour has to say so, to compare the host all
// the same, and to end with a status that a script sees.
func failsItsTour(t *testing.T, step, mutant string, real map[string]string) {
	t.Helper()
	found := ask(t, orders{Tour: []string{step}, Bin: binWith(t, real, step, mutant)})
	t.Log(found.Shown)
	assert.Equal(t, 1, found.Status)
	_, scene, begun := strings.Cut(found.Shown, "\n"+step+"  ")
	require.True(t, begun, "the step's entry: %s", found.Shown)
	assert.Contains(t, scene, "FAIL: ")
	assert.Regexp(t, `(?m)^0 shown, 0 skipped, 1 failed, host (un)?changed: `, scene)
}

// The real programs pass the same tour, or failing it would prove nothing. No
// other test runs meanwhile: cgroups that come and go would be told as changes.
func TestReferenceIsShown(t *testing.T) {
	need.Sandbox(t)
	real := programs(t)
	for _, s := range course.Steps() {
		t.Run(s.ID, func(t *testing.T) {
			needs(t, s.ID)
			found := ask(t, orders{Tour: []string{s.ID}, Bin: binWith(t, real, "", "")})
			assert.Zero(t, found.Status, found.Shown)
			assert.NotContains(t, found.Shown, "FAIL")
			assert.Contains(t, found.Shown, "\n1 shown, 0 skipped, host unchanged: ")
		})
	}
}

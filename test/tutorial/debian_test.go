package tutorial

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/lesson"
	"lab/internal/lesson/lessontest"
	"lab/internal/need"
)

// A root of Debian's runs, and boots by its own init, as docs/debian.md says.
func TestDebian(t *testing.T) {
	build, err := filepath.Abs(filepath.Join("..", "..", "build"))
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(build, "debian", "sysvinit.tar")); err != nil {
		t.Skip("need roots of Debian's: `make debian`")
	}
	need.RealRoot(t)
	need.Overlay(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "debian.md"))
	require.NoError(t, err)
	page, err := lesson.Read(string(text))
	require.NoError(t, err)
	here := t.TempDir()
	require.NoError(t, os.Symlink(build, filepath.Join(here, "build")))
	lessontest.TypeIn(t, here, programs(t), page)
}

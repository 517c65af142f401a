//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/lesson"
	"lab/internal/lesson/lessontest"
	"lab/internal/need"
)

// The first command of the README is typed as it stands there, and prints what
// stands there. The second one is go test itself.
func TestReadme(t *testing.T) {
	need.RealRoot(t)
	need.Cgroup(t, "memory", "pids")
	need.Overlay(t)
	goTool := need.Go(t)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	readme, err := lesson.Read(string(text))
	require.NoError(t, err)
	blocks := readme.Blocks()
	require.Len(t, blocks, 2)
	require.Equal(t, "go test ./...", blocks[1].Commands[0].Text)

	command := blocks[0].Commands[0]
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command.Text)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(goTool)+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	require.NoError(t, err)
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	assert.True(t, lesson.Match(command.Output, got), lesson.Diff(command.Output, got))
}

// What the guide for teachers says to type prints what stands there.
func TestWorkshop(t *testing.T) {
	need.RealRoot(t)
	need.Cgroup(t, "memory", "pids")
	need.UserNS(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "workshop.md"))
	require.NoError(t, err)
	guide, err := lesson.Read(string(text))
	require.NoError(t, err)
	lessontest.Type(t, "08-user", guide)
}

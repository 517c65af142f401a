//go:build linux

package instruments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check"
	"lab/internal/check/checktest"
	"lab/internal/isolation"
	"lab/internal/layers"
	"lab/internal/need"
)

// layered starts a container of 06-unionfs that has changed its root in every way,
// and waits. The layers are named relative to a directory.
func layered(t *testing.T) (dir string, held *check.Held) {
	t.Helper()
	need.Overlay(t)
	subject := checktest.Subject(t, "06-unionfs")
	dir = t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) //nolint:gosec // root inside passes
	for name, text := range map[string]string{
		"top/opt/both": "top", "base/opt/both": "base", "top/opt/gone": "x", "base/old/file": "y",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "upper"), 0o755))
	back, err := os.Getwd()
	require.NoError(t, err)
	t.Chdir(dir)
	held, err = subject.HoldAfter(t.Context(), true,
		"echo more >> /opt/both; rm /opt/gone; rm -r /old; mkdir /old; echo new > /new",
		"-lower", "top:base:"+subject.Root, "-upper", "upper")
	require.NoError(t, err)
	t.Chdir(back)
	endHeld(t, held)
	return dir, held
}

func TestLayersOfAContainer(t *testing.T) {
	dir, held := layered(t)
	pid := strconv.Itoa(held.PID)
	var ours layers.Document
	document(t, &ours, "layers", pid)

	// The mount is the one that findmnt(8) shows, with its options.
	tool := need.Tool(t, "findmnt", "util-linux")
	out, err := exec.CommandContext(t.Context(), tool, "--task", pid, "--json", "-o",
		"TARGET,FSTYPE,FS-OPTIONS", "-t", "overlay").Output()
	require.NoError(t, err)
	var theirs struct{ Filesystems []mounted }
	require.NoError(t, json.Unmarshal(out, &theirs), string(out))
	require.Len(t, theirs.Filesystems, 1)
	assert.Equal(t, theirs.Filesystems[0].Target, ours.Mount)
	assert.Equal(t, theirs.Filesystems[0].Super, ours.Options)

	// Its layers are the directories of the command line, and one that the step
	// made for itself and that nobody else can reach.
	var dirs []string
	for _, l := range ours.Layers {
		dirs = append(dirs, strings.TrimPrefix(l.Dir, dir+"/"))
	}
	require.Len(t, dirs, 5)
	assert.Equal(t, []string{"upper", "", "top", "base"}, dirs[:4])
	assert.Equal(t, "init", ours.Layers[1].Option)

	states := map[string]string{}
	for _, e := range ours.Entries {
		states[e.Path] = e.Layer + " " + string(e.State)
	}
	for path, want := range map[string]string{
		"/opt/both": "U copied up", "/opt/gone": "U whiteout", "/old": "U opaque", "/new": "U new",
		"/etc/hostname": "1 replaced", "/bin/sh": "4 plain", "/etc/motd": "4 plain",
	} {
		assert.Equal(t, want, states[path], path)
	}

	// All other names are those that the process sees below its root.
	for path, state := range states {
		_, err := os.Lstat(fmt.Sprintf("/proc/%s/root%s", pid, path))
		assert.Equal(t, strings.HasSuffix(state, "whiteout"), errors.Is(err, fs.ErrNotExist),
			"%s is %s: %v", path, state, err)
	}

	var page isolation.Document
	document(t, &page, "inspect", pid)
	assert.Contains(t, line(t, page, "files", "root").Meaning, "layers: lab layers")
	assert.Contains(t, line(t, page, "files", "mounts").Meaning, "/ (overlay)")
}

// Into a pipe nothing is wider than 80 columns, and in the C locale all is ASCII.
func TestFitsAScreen(t *testing.T) {
	dir, held := layered(t)
	pid := strconv.Itoa(held.PID)
	for _, args := range [][]string{
		{"ns"},
		{"ns", pid},
		{"ns", "--all"},
		{"ns", "--tree"},
		{"inspect", pid},
		{"mounts", pid},
		{"cgroup", pid},
		{"layers", pid},
		{"layers", "--all", dir + "/upper", dir + "/top"},
	} {
		cmd := exec.CommandContext(t.Context(), binary(t), args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
		out, err := cmd.Output()
		require.NoError(t, err, args)
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSuffix(line, "\n")
			assert.LessOrEqual(t, len(line), 80, "%v prints %q", args, line)
			assert.NotRegexp(t, `[^ -~]`, line, "%v", args)
		}
	}
}

func TestLayersText(t *testing.T) {
	dir, held := layered(t)
	stdout, stderr, status := lab(t, "layers", strconv.Itoa(held.PID))
	require.Zero(t, status, stderr)
	for _, want := range []string{
		`^Overlay on / of process \d+, writable, 5 layers, the topmost first\n`,
		`(?m)^U +upper +3 +`, `(?m)^1 +lower +\? +\? +init: no name leads to it any more$`,
		`(?m)^U +whiteout +/opt/gone +hides 2$`, `(?m)^1 +replaced +/etc/hostname +hides 4$`,
		`names more are as their layer has them`,
	} {
		assert.Regexp(t, want, stdout)
	}
	// The same directories without a container say the same of its changes.
	stdout, stderr, status = lab(t, "layers", dir+"/upper", dir+"/top", dir+"/base")
	require.Zero(t, status, stderr)
	assert.Regexp(t, `(?m)^U +whiteout +/opt/gone +hides 1$`, stdout)
}

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kill ends a process for which we have looked whether it is ours.
func (m *mini) kill(pid int) {
	m.t.Helper()
	require.Greater(m.t, pid, 1)
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(m.t, err)
	defer unix.Close(fd) //nolint:errcheck // It was only looked at.
	require.NoError(m.t, unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
	for {
		ended, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if ended == 1 {
			return
		}
		require.ErrorIs(m.t, err, unix.EINTR)
	}
}

// rewrite changes each part of a file that an expression matches.
func rewrite(t *testing.T, path, expression, text string) {
	t.Helper()
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	pattern := regexp.MustCompile(expression)
	require.Regexp(t, pattern, string(before))
	after := pattern.ReplaceAll(before, []byte(text))
	require.NoError(t, os.WriteFile(path, after, 0o600))
}

// After a reboot what ran has ended, its addresses and its directory are gone, layers that
// may not have reached the disk are unpacked once more, and it can be started.
func TestReboot(t *testing.T) {
	m := aloneMini(t)
	id := m.ok("run", "-d", "--name", "web", "-v", "data:/data", "base", "sh", "-c",
		"echo words > /data/file; echo ready; sleep 1000")
	eventually(t, "it is ready", func() bool { return m.ok("logs", "web") == "ready" })
	layer, err := filepath.Glob(filepath.Join(m.root, "layers/sha256/*"))
	require.NoError(t, err)
	require.Len(t, layer, 1)

	// The power fails: no process is left, and nothing of /run. A file was not on disk yet.
	pids := m.ok("inspect", "-f", "{{.State.Monitor.Pid}} {{.State.Pid}}", "web")
	for text := range strings.FieldsSeq(pids) {
		pid, err := strconv.Atoi(text)
		require.NoError(t, err)
		m.kill(pid)
	}
	require.NoError(t, os.RemoveAll(m.state))
	rewrite(t, filepath.Join(m.root, "containers", id, "state.json"), `"Boot":"[^"]*"`,
		`"Boot":"another"`)
	lease := filepath.Join(m.root, "networks/leases", id+".json")
	rewrite(t, lease, `"boot": *"[^"]*"`, `"boot":"another"`)
	require.NoError(t, os.Remove(filepath.Join(layer[0], "bin/cat")))
	note := filepath.Join(m.root, "layers/unsettled", filepath.Base(layer[0]))
	require.NoError(t, os.WriteFile(note, []byte("another"), 0o600))

	assert.Contains(t, m.ok("ps", "-a"), "Exited (255)")
	assert.NoFileExists(t, lease)
	assert.NoDirExists(t, filepath.Join(m.state, id))
	m.ok("start", "web")
	assert.Equal(t, "words", m.ok("exec", "web", "cat", "/data/file"))
	m.ok("rm", "-f", "web")
	assert.Empty(t, m.ok("system", "check"))
}

// Each thing that a killed command can leave is found, told, and mended.
func TestSystemCheck(t *testing.T) {
	m := aloneMini(t)
	m.ok("create", "--name", "web", "-v", "data:/data", "base", "sh")
	id := m.ok("inspect", "-f", "{{.Id}}", "web")
	m.ok("create", "--name", "torn", "-v", "data:/d", "base", "sh")
	torn := m.ok("inspect", "-f", "{{.Id}}", "torn")
	assert.Empty(t, m.ok("system", "check"))

	digits := 0
	another := func() string {
		digits++
		return strings.Repeat(strconv.Itoa(digits), 64)
	}
	write := func(path, text string) {
		path = filepath.Join(filepath.Dir(m.root), path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("root/containers/"+another()+"/upper/file", "half made")
	write("root/containers/"+torn+"/container.json", `{"Id":"`)
	write("state/"+id+"/monitor.log", "")
	write("state/minirun/"+another()+"/file", "")
	write("root/volumes/data/users/"+another(), "")
	write("root/volumes/.gone-old/_data/file", "half removed")
	write("root/images/ingest/blob-1", "half pulled")
	write("root/images/blobs/sha256/"+another(), "of no image")
	write("root/layers/sha256/.new-"+another()+"/file", "half unpacked")
	require.NoError(t, os.Symlink(another(), filepath.Join(m.root, "names/lost")))
	require.NoError(t, os.Remove(filepath.Join(m.root, "names/web")))

	assert.NotContains(t, m.ok("ps", "-a"), "torn", "the others are there all the same")
	r := m.do("system", "check")
	assert.Equal(t, 1, r.status)
	const things = 11
	assert.Len(t, strings.Split(strings.TrimSpace(r.out), "\n"), things, r.out)
	assert.Contains(t, r.err, fmt.Sprint(things, " things are not as they should be"))
	assert.Contains(t, r.err, "hint: mini system check --repair")
	r = m.do("system", "check", "--repair")
	assert.Zero(t, r.status, r.out+r.err)
	// Volumes mend themselves at each command, and the torn container's name goes, too.
	assert.Equal(t, things, strings.Count(r.out, "mended: "), r.out)
	assert.Empty(t, m.ok("system", "check"))
	assert.Equal(t, "created", m.status("web"))
	m.ok("rm", "web")
	assert.Equal(t, "data", m.ok("volume", "ls", "-q"))
}

// A blob that is damaged is told of, and makes room for a whole one.
func TestSystemCheckImages(t *testing.T) {
	m := aloneMini(t)
	m.ok("create", "--name", "web", "base", "sh")
	archive := filepath.Join(t.TempDir(), "base.tar")
	m.ok("save", "-o", archive, "base")
	blobs, err := filepath.Glob(filepath.Join(m.root, "images/blobs/sha256/*"))
	require.NoError(t, err)
	largest := ""
	for _, blob := range blobs {
		if info, err := os.Stat(blob); err == nil && info.Size() > 1<<20 {
			largest = blob
		}
	}
	file, err := os.OpenFile(largest, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("damaged"), 1000)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	assert.Contains(t, m.do("system", "check").out, "its digest should be")
	m.do("system", "check", "--repair")
	assert.Contains(t, m.do("system", "check").out, "is missing: pull or load the image once more")
	m.ok("load", "-i", archive)
	assert.Empty(t, m.ok("system", "check"))
}

// What nobody needs goes, and what somebody needs stays.
func TestPrune(t *testing.T) {
	m := aloneMini(t)
	m.ok("run", "--name", "ended", "-v", "/anonymous", "-v", "named:/named", "base", "true")
	m.ok("run", "-d", "--name", "web", "--network", "none", "base", "sleep", "1000")
	m.ok("commit", "ended", "ended")
	m.ok("network", "create", "unused")
	rows := strings.Split(m.ok("system", "df", "--format", "{{.Type}} {{.Total}} {{.Active}}"),
		"\n")
	assert.Equal(t, []string{"Images 2 1", "Containers 2 1", "Local Volumes 2 2"}, rows)
	assert.Contains(t, m.ok("container", "prune", "-f"), "Deleted: ")
	assert.Equal(t, "web", m.ok("ps", "-a", "--format", "{{.Names}}"))
	assert.Contains(t, m.ok("system", "prune", "-f", "-a", "--volumes"), "Deleted network: unused")
	assert.Equal(t, "base", m.ok("images", "--format", "{{.Repository}}"))
	assert.Equal(t, "named", m.ok("volume", "ls", "-q"))
	assert.Empty(t, m.ok("system", "check"))
}

package main_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// dockerfile writes one and returns the directory that it stands in.
func dockerfile(t *testing.T, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.Join(lines, "\n") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page"), []byte("a page\n"), 0o644))
	return dir
}

// What is built runs, and is built of the cache the second time.
func TestBuild(t *testing.T) {
	m := newMini(t)
	dir := dockerfile(t,
		"FROM base AS make", "ARG WHO=nobody",
		"RUN echo making for $WHO; mkdir /out; echo made for $WHO >/out/made",
		"FROM base", "COPY --from=make /out/made /srv/", "COPY page /srv/", "WORKDIR /srv",
		"RUN <<END", "cat page made >both", "rm page", "END",
		`CMD ["cat", "both"]`)
	first := m.do("build", "-t", "built", "--build-arg", "WHO=you", dir)
	require.Equal(t, 0, first.status, first.err)
	assert.Contains(t, first.err, "making for you")
	assert.NotContains(t, first.err, "cached")
	assert.Equal(t, "a page\nmade for you", m.ok("run", "--rm", "built"))
	assert.Equal(t, "both\nmade", m.ok("run", "--rm", "built", "ls"))
	id := m.ok("build", "-q", "-t", "built", "--build-arg", "WHO=you", dir)
	assert.Contains(t, first.err, "built:latest is "+id)
	assert.Empty(t, m.ok("ps", "-aq"))
}

// A step that fails says what it did and where it stands; there is no image then, and what
// was done before it is not done again.
func TestBuildFails(t *testing.T) {
	m := newMini(t)
	dir := dockerfile(t, "FROM base", "RUN echo done >/done", "RUN echo oops; exit 7")
	before := m.names()
	r := m.do("build", "--no-cache", "-t", "not-made", dir)
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "oops\n")
	assert.Contains(t, r.err,
		"mini: build: line 3: RUN echo oops; exit 7: the command ended with status 7\n")
	assert.Equal(t, before, m.names())
	r = m.do("build", "-t", "not-made", dir)
	assert.Contains(t, r.err, "#2 cached")
	assert.NotContains(t, r.err, "#3 cached")
	none := m.do("run", "--pull", "never", "not-made")
	assert.Contains(t, none.err, `no image "not-made" here`)
	assert.Empty(t, m.ok("ps", "-aq"))
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"no such display", []string{"--progress", "loud", dir}, 2, "expected auto, plain or tty"},
		{"no terminal", []string{"--progress", "tty", dir}, 1, "this is no terminal"},
		{"no Dockerfile", []string{t.TempDir()}, 1, "hint: -f FILE names another one"},
		{"no such network", []string{"--network", "nix", dir}, 1, `line 3: RUN echo oops; exit`},
		{"bad name", []string{"-t", "Web", dir}, 1, "capital letters"},
		{
			"no such instruction",
			[]string{dockerfile(t, "FROM base", "COPPY a b")},
			1,
			"mini: build: line 2: there is no instruction COPPY\nhint: COPY is one\n",
		},
		{
			"no such image",
			[]string{"--pull=never", dockerfile(t, "FROM nix")},
			1,
			`mini: build: line 1: FROM nix: no image "nix" here` + "\nhint: ",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := m.do(append([]string{"build"}, tt.args...)...)
			assert.Equal(t, tt.status, r.status)
			assert.Contains(t, r.err, tt.want)
		})
	}
}

// However a build is ended, the container of its step ends with it and is removed.
func TestBuildIsInterrupted(t *testing.T) {
	m := newMini(t)
	dir := dockerfile(t, "FROM base", "RUN echo begun; sleep 1000")
	for _, signal := range []os.Signal{unix.SIGINT, unix.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd := m.command("build", "-t", "not-made", dir)
			var said bytes.Buffer
			out, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(io.TeeReader(out, &said))
			for lines.Scan() && !strings.HasSuffix(lines.Text(), " begun") {
				line := warnings.ReplaceAllString(lines.Text()+"\n", "")
				assert.NotContains(t, line, "mini: ")
			}
			require.NoError(t, cmd.Process.Signal(signal))
			for lines.Scan() { // to the end
			}
			_ = cmd.Wait() // whose status is looked at
			if signal == unix.SIGINT {
				assert.Equal(t, 128+2, cmd.ProcessState.ExitCode())
				assert.Contains(t, said.String(), "mini: build: interrupted; ")
			}
			eventually(t, "the container is removed", func() bool {
				entries, err := os.ReadDir(filepath.Join(m.root, "containers"))
				return err == nil && len(entries) == 0
			})
			assert.NotContains(t, m.names(), "not-made")
		})
	}
}

// The command of RUN has the network that is asked for.
func TestBuildHasANetwork(t *testing.T) {
	m := newMini(t)
	dir := dockerfile(t, "FROM base", "RUN ip addr")
	assert.Contains(t, m.do("build", "--no-cache", "-t", "built", dir).err, "eth0")
	r := m.do("build", "--no-cache", "-t", "built", "--network", "none", dir)
	require.Zero(t, r.status, r.err)
	assert.NotContains(t, r.err, "eth0")
}

// With SOURCE_DATE_EPOCH what a command has written has that time, and the image is always
// the same.
func TestBuildIsReproducible(t *testing.T) {
	m := newMini(t)
	m.env = []string{"SOURCE_DATE_EPOCH=1000000000"}
	dir := dockerfile(t, "FROM base", "RUN mkdir /out; cp /etc/passwd /out/a; rm /etc/passwd",
		"COPY page /out/")
	id := m.ok("build", "-q", "--no-cache", "-t", "built", dir)
	assert.Equal(t, id, m.ok("build", "-q", "--no-cache", "-t", "built", dir))
	assert.Equal(t, "1000000000\n1000000000", m.ok("run", "--rm", "--network", "none", "built",
		"stat", "-c", "%Y", "/out", "/out/a"))
	assert.Contains(t, m.ok("inspect", "-f", "{{.Created}}", "built"), "2001-09-09 01:46:40")
	m.ok("builder", "prune", "-f")
	assert.NotContains(t, m.do("build", "-t", "built", dir).err, "cached")
}

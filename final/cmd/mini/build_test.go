package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	first := m.do("build", "-t", "web", "--build-arg", "WHO=you", dir)
	require.Equal(t, 0, first.status, first.err)
	assert.Contains(t, first.err, "making for you")
	assert.NotContains(t, first.err, "cached")
	assert.Equal(t, "a page\nmade for you", m.ok("run", "--rm", "web"))
	assert.Equal(t, "both\nmade", m.ok("run", "--rm", "web", "ls"))
	id := m.ok("build", "-q", "-t", "web", "--build-arg", "WHO=you", dir)
	assert.Contains(t, first.err, "web:latest is "+id)
	assert.Empty(t, m.ok("ps", "-aq"))
}

// A step that fails says what it did and where it stands; there is no image then.
func TestBuildFails(t *testing.T) {
	m := newMini(t)
	r := m.do("build", "-t", "not-made", dockerfile(t, "FROM base", "RUN echo oops; exit 7"))
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "oops\n")
	assert.Contains(t, r.err,
		"mini: build: line 2: RUN echo oops; exit 7: the command ended with status 7\n")
	none := m.do("run", "--pull", "never", "not-made")
	assert.Contains(t, none.err, `no image "not-made" here`)
	assert.Empty(t, m.ok("ps", "-aq"))
	assert.Equal(t, 2, m.do("build", "--progress", "loud", dockerfile(t, "FROM base")).status)
	assert.Contains(t, m.do("build", t.TempDir()).err, "hint: -f FILE names another one")
}

package main_test

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newImages is a mini with an image store of its own, for tests that change it. It needs
// no containers, so no host either.
func newImages(t *testing.T) *mini {
	t.Helper()
	paths, err := programs()
	require.NoError(t, err)
	dir := inMemory(t)
	return &mini{
		t: t, path: paths["mini"], root: filepath.Join(dir, "root"),
		state: filepath.Join(dir, "state"),
		env:   []string{"XDG_CONFIG_HOME=" + filepath.Join(dir, "config")},
	}
}

// inMemory is a directory that is in memory, if it can be: a store waits for the disk, and
// a busy disk for others.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mini-images-") //nolint:usetesting // As said.
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// importFile makes an image with one file, and returns its ID.
func (m *mini) importFile(name, content, image string) string {
	m.t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}
	require.NoError(m.t, w.WriteHeader(header))
	_, err := w.Write([]byte(content))
	require.NoError(m.t, err)
	require.NoError(m.t, w.Close())
	m.input = b.String()
	defer func() { m.input = "" }()
	return m.ok("import", "-m", "a test", "-", image)
}

// names lists the images as NAME:TAG.
func (m *mini) names() string {
	m.t.Helper()
	return m.ok("images", "--format", "{{.Repository}}:{{.Tag}}")
}

func TestImagesHaveNames(t *testing.T) {
	m := newImages(t)
	// The built-in image is there without a network.
	assert.Equal(t, "base:latest", m.names())
	id := m.importFile("etc/motd", "hello", "web:1")
	m.ok("tag", "web:1", "localhost:5000/team/web")
	m.ok("tag", id[len("sha256:"):][:8], "web:2")
	assert.Equal(t, "web:1\nlocalhost:5000/team/web:latest\nweb:2\nbase:latest", m.names())
	assert.Equal(t, "web:1\nweb:2", m.ok("images", "--format", "{{.Repository}}:{{.Tag}}", "web"))
	assert.Equal(t, id, m.ok("image", "ls", "-q", "--no-trunc", "web"))
	assert.Equal(t, id+" linux", m.ok("inspect", "-f", "{{.Id}} {{.Os}}", "web:1"))
	assert.Contains(t, m.ok("history", "web:1"), "mini import -")
	assert.Equal(t, "A /etc/motd", strings.TrimSpace(strings.Split(
		m.ok("layers", "--files", "web:1"), "\n")[1]))

	// Names go one by one, the image with the last.
	assert.Equal(t, "Untagged: web:2", m.ok("rmi", "web:2"))
	r := m.do("rmi", id)
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "it has 2 names: web:1, localhost:5000/team/web:latest\nhint: ")
	assert.Equal(t, "Untagged: web:1\nUntagged: localhost:5000/team/web:latest\nDeleted: "+id,
		m.ok("rmi", "-f", id))
	assert.Equal(t, "base:latest", m.names())

	// An image that lost its name to another is there until it is pruned.
	id = m.importFile("a", "1", "web")
	m.importFile("a", "2", "web")
	assert.Equal(t, "web:latest\n<none>:<none>\nbase:latest", m.names())
	assert.Contains(t, m.ok("image", "prune", "-f"), "Deleted: "+id+"\nTotal reclaimed space: ")
	assert.Equal(t, "web:latest\nbase:latest", m.names())
}

func TestLayersShowWhatIsShared(t *testing.T) {
	m := newImages(t)
	m.importFile("a", "1", "one")
	m.ok("save", "-o", filepath.Join(m.root, "..", "one.tar"), "one")
	assert.Regexp(t, `(?s)LAYER +SIZE +ADDS +REPLACES +DELETES +SHARED WITH\n[0-9a-f]{12} +2.05kB `+
		`+1 +0 +0 +-$`, m.ok("layers", "one"))
	m.importFile("a", "1", "two")
	assert.Equal(t, "two:latest", m.ok("layers", "--format", "{{.SharedWith}}", "one"))
}

func TestImagesAreSavedAndLoaded(t *testing.T) {
	m, other := newImages(t), newImages(t)
	id := m.importFile("a", "1", "web:1")
	m.ok("tag", "web:1", "web:2")
	file := filepath.Join(t.TempDir(), "web.tar")
	m.ok("save", "-o", file, "web:1", "web:2", "base")
	assert.Equal(t, "Loaded image: web:1\nLoaded image: web:2\nLoaded image: base:latest",
		other.ok("load", "-i", file))
	assert.Equal(t, id, other.ok("images", "-q", "--no-trunc", "web:2"))
	r := m.do("save", "web:1")
	require.Zero(t, r.status)
	third := newImages(t)
	third.input = r.out
	assert.Equal(t, "Loaded image: web:1", third.ok("load"))
}

// serve starts a registry on the loopback device that asks for a password.
func serve(t *testing.T) (host string) {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			handler.ServeHTTP(w, r)
		}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestImagesTravel(t *testing.T) {
	m, other := newImages(t), newImages(t)
	host := serve(t)
	name := host + "/team/web:1"
	id := m.importFile("a", "1", name)
	r := m.do("push", name)
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "the registry does not let you\nhint: mini login "+host)
	m.input = "wrong"
	assert.Contains(t, m.do("login", "-u", "me", "--password-stdin", host).err,
		"wrong name or password")
	for _, m := range []*mini{m, other} {
		m.input = "secret\n"
		m.ok("login", "-u", "me", "--password-stdin", host)
	}
	config := filepath.Join(strings.TrimPrefix(m.env[0], "XDG_CONFIG_HOME="), "mini/config.json")
	info, err := os.Stat(config)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	pushed := strings.Fields(m.ok("push", name))
	require.Len(t, pushed, 2)
	assert.Equal(t, name, pushed[0])
	r = other.do("pull", name)
	require.Zero(t, r.status, r.err)
	assert.Regexp(t, `^[0-9a-f]{12}  done, 2.05kB\n$`, r.err)
	assert.Equal(t, id, other.ok("pull", "-q", name))
	assert.Equal(t, id, other.ok("pull", "-q", host+"/team/web@"+pushed[1]))
	assert.Equal(t, pushed[1], other.ok("images", "--digests", "--format", "{{.Digest}}",
		host+"/team/web:1"))
	assert.Equal(t, id, other.ok("images", "-q", "--no-trunc", host+"/team/web:1"))

	m.ok("logout", host)
	assert.Contains(t, m.do("pull", name).err, "does not let you")
	assert.Contains(t, other.do("pull", host+"/team/web:9").err, "the registry has no such image")
}

func TestWrongImagesAreOneLine(t *testing.T) {
	m := newImages(t)
	noise := filepath.Join(t.TempDir(), "noise")
	require.NoError(t, os.WriteFile(noise, []byte(strings.Repeat("noise ", 500)), 0o600))
	for _, tt := range []struct {
		name   string
		args   []string
		want   string
		status int
	}{
		{"no such image", []string{"rmi", "nosuch"}, `no image "nosuch" here`, 1},
		{"to run", []string{"run", "--pull", "never", "nosuch"}, `no image "nosuch" here`, 125},
		{"a name in capitals", []string{"tag", "base", "Web"}, "capital letters", 1},
		{"a digest cut short", []string{"pull", "web@sha256:12"}, "is no digest", 1},
		{"noise to load", []string{"load", "-i", noise}, "it is no archive of images", 1},
		{"noise to import", []string{"import", noise}, "it is no tar", 1},
		{"no file", []string{"import", "/nosuch/file"}, "/nosuch/file", 1},
		{"no platform", []string{"pull", "--platform", "arm", "web"}, "is not OS/ARCH", 2},
		{"no policy", []string{"run", "--pull", "now", "base"}, "none of missing", 125},
		{"nobody listens", []string{"pull", "127.0.0.1:1/web"}, "127.0.0.1:1 cannot be reached", 1},
		{"not logged in", []string{"logout", "example.test"}, "nobody is logged in", 1},
		{"no such verb", []string{"image", "paint"}, "has no verb", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := m.do(tt.args...)
			assert.Contains(t, r.err, tt.want)
			assert.Equal(t, tt.status, r.status, r.err)
			assert.Empty(t, r.out)
			for i, line := range strings.Split(strings.TrimSuffix(r.err, "\n"), "\n") {
				assert.Regexp(t, []string{"^mini: ", "^hint: "}[min(i, 1)], line)
			}
		})
	}
	assert.Equal(t, "base:latest", m.names(), "nothing half-made")
}

// A container's image cannot be removed under it.
func TestImageInUseStays(t *testing.T) {
	m := newMini(t)
	m.importFile("true", "x", "used:1")
	m.ok("create", "--name", "user", "used:1", "/true")
	r := m.do("rmi", "used:1")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "the image is in use by user\nhint: mini rm user first")
	assert.Equal(t, "Untagged: used:1", m.ok("rmi", "-f", "used:1"))
	m.ok("image", "prune", "-f")
	id := m.ok("inspect", "-f", "{{.Image}}", "user")
	assert.Contains(t, m.ok("images", "-q", "--no-trunc"), id)
	m.ok("rm", "user")
	assert.Contains(t, m.ok("image", "prune", "-f"), "Deleted: "+id)
}

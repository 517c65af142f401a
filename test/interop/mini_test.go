package interop

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"lab/internal/need"
	"lab/internal/program"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// store is a directory of images and containers, and the program that has it.
type store struct {
	t     *testing.T
	words []string // of the command line before the verb
}

// ok runs a verb that has to succeed and returns what it prints.
func (s store) ok(args ...string) string {
	s.t.Helper()
	words := append(append([]string{}, s.words...), args...)
	r := run(words[0], words[1:]...)
	require.NoError(s.t, r.failure())
	return strings.TrimSpace(r.out)
}

// says runs an image, which has to work.
func (s store) says(image string) {
	s.t.Helper()
	assert.Equal(s.t, "it runs", s.ok("run", "--rm", "--network", "none", image,
		"/bin/sh", "-c", "echo it runs"), image)
}

// Mini: other programs read the images that it writes, and it theirs.
func TestMini(t *testing.T) {
	m := prepare(t)
	paths, err := program.Paths(t.Context(), "mini", "minirun")
	require.NoError(t, err)
	l := before(t, "libpod_parent")
	dir := base + "/mini"
	newMini := func(t *testing.T, name string) store {
		t.Helper()
		// Paths of sockets are short.
		state := "/run/mini-" + name
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(state)) })
		return store{t, []string{paths["mini"], "--root", dir + "/" + name, "--state", state}}
	}
	t.Run("registry", func(t *testing.T) {
		host := serveRegistry(t)
		first, second := newMini(t, "first"), newMini(t, "second")
		first.ok("tag", "base", host+"/base:1")
		first.ok("push", host+"/base:1")
		skopeo := store{t, []string{need.Tool(t, "skopeo", "skopeo")}}
		skopeo.ok("copy", "--src-tls-verify=false", "--dest-tls-verify=false",
			"docker://"+host+"/base:1", "docker://"+host+"/copy:1")
		second.ok("pull", host+"/copy:1")
		assert.Equal(t, first.ok("images", "-q", "--no-trunc", host+"/base:1"),
			second.ok("images", "-q", "--no-trunc", host+"/copy:1"))
		second.says(host + "/copy:1")
	})
	t.Run("podman", func(t *testing.T) {
		need.Tool(t, "podman", "podman")
		ours, e := newMini(t, "first"), podman(t, m)
		theirs := store{t, append([]string{e.program, "--runtime", m.runtime}, e.global...)}
		ours.ok("save", "-o", dir+"/ours.tar", "base")
		theirs.ok("load", "-i", dir+"/ours.tar")
		theirs.says("docker.io/library/base:latest")
		for _, format := range []string{"oci-archive", "docker-archive"} {
			file := dir + "/" + format + ".tar"
			theirs.ok("save", "--format", format, "-o", file, image)
			newMini(t, format).ok("load", "-i", file)
			newMini(t, format).says(image)
		}
		theirs.ok("rmi", "--all", "--force")
	})
	t.Run("buildah", func(t *testing.T) {
		theirs := store{t, []string{
			need.Tool(t, "buildah", "buildah"), "--root", dir + "/b", "--runroot", dir + "/b.run",
			"--storage-driver", "overlay",
		}}
		ours := newMini(t, "first")
		ours.ok("save", "-o", dir+"/ours.tar", "base")
		theirs.ok("from", "--name", "work", "oci-archive:"+dir+"/ours.tar")
		assert.Equal(t, "it runs", theirs.ok("run", "--runtime", m.runtime, "--isolation", "oci",
			"--network", "none", "work", "--", "/bin/sh", "-c", "echo it runs"))
		theirs.ok("config", "--cmd", "/bin/sh", "work")
		theirs.ok("commit", "work", "oci-archive:"+dir+"/theirs.tar:made:1")
		second := newMini(t, "second")
		second.ok("load", "-i", dir+"/theirs.tar")
		second.says("made:1")
		theirs.ok("rm", "--all")
		theirs.ok("rmi", "--all", "--force")
	})
	require.NoError(t, os.RemoveAll(dir))
	l.check(t)
}

// serveRegistry starts Debian's registry on the loopback device.
func serveRegistry(t *testing.T) (host string) {
	t.Helper()
	path := need.Tool(t, "docker-registry", "docker-registry")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host = listener.Addr().String()
	require.NoError(t, listener.Close()) // nobody else is in this network to take it
	config, data := base+"/registry.yml", t.TempDir()
	require.NoError(t, os.WriteFile(config, []byte("version: 0.1\n"+
		"log: {level: error, accesslog: {disabled: true}}\n"+
		"storage: {filesystem: {rootdirectory: "+data+"}}\n"+
		"http: {addr: '"+host+"'}\n"), 0o600))
	daemon(t, func() bool {
		answer, err := http.Get("http://" + host + "/v2/") //nolint:noctx // It is next door.
		return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	}, path, "serve", config)
	return host
}

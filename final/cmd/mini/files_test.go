package main_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tarNames reads a tar: what is in its files by their names, or its kind.
func tarNames(t *testing.T, text string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for r := tar.NewReader(strings.NewReader(text)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		found[h.Name] = string(h.Typeflag) + " " + h.Linkname + string(content)
	}
}

// What a container has changed is told, and becomes an image. Its init layer and what is
// in its volume do not.
func TestDiffAndCommit(t *testing.T) {
	m := newMini(t)
	m.ok("run", "-d", "--name", "web", "-v", "data:/data", "-e", "A=1", "base", "sh", "-c",
		`echo new > /etc/new; rm -r /mnt; echo kept > /data/kept; echo ready; sleep 1000`)
	eventually(t, "it is ready", func() bool { return m.ok("logs", "web") == "ready" })
	want := "A /data\nC /etc\nA /etc/new\nD /mnt"
	assert.Equal(t, want, m.ok("diff", "web"))
	id := m.ok("commit", "--pause=false", "-m", "words", "-a", "me", "-c", "ENV B=$A-2 'C=c c'",
		"-c", `CMD ["sh", "-c", "echo $B $C; pwd"]`, "-c", "WORKDIR /srv", "-c", "EXPOSE 80",
		"web", "committed")
	defer m.ok("rmi", "committed")
	m.ok("kill", "web")
	assert.Equal(t, want, m.ok("diff", "web"), "it is the same when it has ended")

	assert.Equal(t, "new\n1", m.ok("run", "--rm", "committed", "sh", "-c",
		`cat /etc/new; ls /data; echo $A; test ! -e /mnt`), "data is there, and empty")
	assert.Contains(t, m.ok("history", "--no-trunc", "committed"), "words")
	assert.Contains(t, m.do("rmi", "base").err, "in use by web", "as the container is made of it")
	before := m.ok("image", "inspect", "committed")
	assert.Contains(t, before, id)
	assert.Contains(t, before, `"me"`)
	assert.Contains(t, before, `"80/tcp"`)
	assert.Equal(t, "1-2 c c\n/srv", m.ok("run", "--rm", "committed"))
	for _, bad := range []string{"RUN true", "ENV A", "CMD", "USER a b", "STOPSIGNAL BIG"} {
		assert.Equal(t, 2, m.do("commit", "-p=false", "-c", bad, "web").status, bad)
	}
	tree := tarNames(t, m.do("export", "web").out)
	assert.Equal(t, "0 new\n", tree["etc/new"])
	assert.Equal(t, "5 ", tree["data/"])
	assert.NotContains(t, tree, "data/kept")
	assert.NotContains(t, tree, "mnt/")
	assert.Contains(t, m.do("commit", "web", "B:ad").err, "bad image name")
}

// A container that is committed is frozen meanwhile, and runs on.
func TestCommitPauses(t *testing.T) {
	m := newMini(t)
	needFreezer(t)
	m.web()
	m.ok("commit", "web", "frozen")
	m.ok("rmi", "frozen")
	assert.Equal(t, "running", m.status("web"))
	m.ok("stop", "web")
}

// Files go in and out, be it running or not, and no link leads out of it.
func TestCopy(t *testing.T) {
	m := newMini(t)
	here := t.TempDir()
	at := func(name string) string { return filepath.Join(here, name) }
	require.NoError(t, os.MkdirAll(at("dir/sub"), 0o755))
	require.NoError(t, os.WriteFile(at("dir/sub/file"), []byte("of the host"), 0o4755))
	secret := at("secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	m.ok("create", "--name", "web", "-v", "data:/data", "base", "sh", "-c",
		`ln -s `+secret+` /out; ln -s / /top; ln -s ../../../../../../etc /up; mkdir /made
		echo inside > /etc/inside; chmod 4755 /etc/inside; ln -s inside /etc/link; sleep 1000`)
	// Before it runs, into its volume and into itself.
	m.ok("cp", at("dir"), "web:/data/")
	m.ok("cp", at("dir")+"/.", "web:/srv")
	m.ok("cp", at("dir/sub/file"), "web:/srv/renamed")
	m.ok("start", "web")
	eventually(t, "it is ready", func() bool {
		return m.do("exec", "web", "readlink", "/etc/link").status == 0
	})
	assert.Equal(t, "of the hostof the hostof the host", m.ok("exec", "web", "cat",
		"/data/dir/sub/file", "/srv/sub/file", "/srv/renamed"))
	assert.Equal(t, "0 755", m.ok("exec", "web", "stat", "-c", "%u %a", "/srv/renamed"))

	m.copiesOut(here)
	m.leadsNowhere(here, secret)
	m.ok("kill", "web")
	m.copiesOut(here)
	m.leadsNowhere(here, secret)
	m.refusesCopies(here)
}

// copiesOut makes sure that what is copied out of web is what it has.
func (m *mini) copiesOut(here string) {
	m.t.Helper()
	t, at := m.t, func(name string) string { return filepath.Join(here, name) }
	m.ok("cp", "web:/etc/inside", at("name"))
	text, err := os.ReadFile(at("name"))
	require.NoError(t, err)
	assert.Equal(t, "inside\n", string(text))
	info, err := os.Stat(at("name"))
	require.NoError(t, err)
	assert.Zero(t, info.Mode()&os.ModeSetuid, "it gives no rights on the host")
	m.ok("cp", "-a", "web:/etc/inside", at("name"))
	info, err = os.Stat(at("name"))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSetuid, "but where that is wanted")

	m.ok("cp", "web:/etc/link", at("link"))
	target, err := os.Readlink(at("link"))
	require.NoError(t, err)
	assert.Equal(t, "inside", target)
	require.NoError(t, os.Remove(at("link")))
	assert.Equal(t, map[string]string{"link": "0 inside\n"},
		tarNames(t, m.do("cp", "-L", "web:/etc/link", "-").out))
	data := tarNames(t, m.do("cp", "web:/data", "-").out)
	assert.Equal(t, "0 of the host", data["data/dir/sub/file"])
}

// leadsNowhere makes sure that links lead nowhere but to what is in web.
func (m *mini) leadsNowhere(here, secret string) {
	m.t.Helper()
	t, at := m.t, func(name string) string { return filepath.Join(here, name) }
	// Links that mean something else outside.
	r := m.do("cp", "-L", "web:/out", at("stolen"))
	assert.Contains(t, r.err, "no such file or directory")
	assert.NoFileExists(t, at("stolen"))
	assert.Equal(t, map[string]string{"inside": "0 inside\n"},
		tarNames(t, m.do("cp", "web:/up/inside", "-").out))
	m.ok("cp", at("dir/sub/file"), "web:/top/made/through")
	assert.Equal(t, map[string]string{"through": "0 of the host"},
		tarNames(t, m.do("cp", "web:/made/through", "-").out))
	text, err := os.ReadFile(secret)
	require.NoError(t, err)
	assert.Equal(t, "secret", string(text))
	assert.Equal(t, 1, m.do("cp", at("dir/sub/file"), "web:"+secret).status)
}

// refusesCopies makes sure that what cannot be copied is told of.
func (m *mini) refusesCopies(here string) {
	m.t.Helper()
	t, at := m.t, func(name string) string { return filepath.Join(here, name) }
	for _, test := range []struct {
		from, to, want string
		status         int
	}{
		{"web:/nothing", here, "/nothing: no such file or directory", 1},
		{"web:/etc", at("name"), "not a directory", 1},
		{at("dir"), "web:/etc/inside", "not a directory", 1},
		{at("name"), "web:/nothing/", "no such file or directory", 1},
		{"nobody:/etc", here, "there is no such container", 1},
		{"web:/etc", "web:/srv", "one of the two names is in a container", 2},
		{here, here, "one of the two names is in a container", 2},
	} {
		r := m.do("cp", test.from, test.to)
		assert.Contains(t, r.err, test.want, "%v", test)
		assert.Equal(t, test.status, r.status, "%v", test)
	}
}

// A tar is unpacked, and none of its names leads out of the directory.
func TestCopyTar(t *testing.T) {
	m := newMini(t)
	m.ok("create", "--name", "web", "base", "sh")
	outside := filepath.Join(t.TempDir(), "outside")
	var hostile bytes.Buffer
	w := tar.NewWriter(&hostile)
	for _, h := range []tar.Header{
		{Name: "plain", Size: 4, Mode: 0o644},
		{Name: "away", Typeflag: tar.TypeSymlink, Linkname: filepath.Dir(outside)},
		{Name: "away/outside", Size: 4, Mode: 0o644},
	} {
		require.NoError(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := w.Write([]byte("text"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	m.input = hostile.String()
	m.do("cp", "-", "web:/srv")
	assert.NoFileExists(t, outside)
	assert.Equal(t, "0 text", tarNames(t, m.do("cp", "web:/srv", "-").out)["srv/plain"])
	m.input = "no tar"
	assert.Equal(t, 1, m.do("cp", "-", "web:/srv").status)
	assert.Equal(t, 1, m.do("cp", "-", "web:/nothing").status)
}

package main_test

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is taken or not there is refused in one line, with what may help and the right
// status, and nothing is made.
func TestOneLineAndAHint(t *testing.T) {
	m := newMini(t)
	program, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer program.Close()
	m.ok("network", "create", "--subnet", "198.18.9.0/30", "tiny")
	m.ok("run", "-d", "--name", "web", "--network", "tiny", "-v", "data:/data",
		"-p", "127.0.0.1:18080:80", "base", "sleep", "1000")
	id := m.ok("inspect", "-f", "{{.Id}}", "web")[:12]
	for _, tt := range []struct {
		name   string
		args   string
		status int
		want   string
	}{
		{
			"a name that is taken", "run --name web base true", 125,
			`run: name "web": taken by the container ` + id + "\nhint: mini rm removes it; ",
		},
		{
			"a name for another", "rename web web", 1,
			`rename web: name "web": the name cannot be used: it is the one it has`,
		},
		{
			"a port of a container", "run --rm -p 127.0.0.1:18080:80 base true", 125,
			"port 127.0.0.1:18080/tcp: taken( by web)?\nhint: mini ps and ",
		},
		{
			"a port of a program", "run --rm -p " + program.Addr().String() + ":80 base true", 125,
			"port " + program.Addr().String() + "/tcp: taken( by a program of this host)?\nhint: ",
		},
		{
			"no address", "run --rm --network tiny base true", 125,
			`network "tiny": 198.18.9.0/30: no address is free` + "\nhint: mini network create",
		},
		{
			"no pool", "network create --subnet 198.18.0.0/16 more", 1,
			`network "more": subnet 198.18.0.0/16: taken by 198.18.9.0/30` + "\nhint: ",
		},
		{
			"no network", "run --rm --network nix base true", 125,
			`network "nix": there is no such network` + "\nhint: mini network ls",
		},
		{"a network in use", "network rm tiny", 1, `network "tiny": in use by web` + "\nhint: "},
		{
			"a volume in use", "volume rm data", 1,
			`volume "data": in use by container ` + id + "\nhint: ",
		},
		{"no container", "stop nix", 1, "there is no such container\nhint: mini ps -a"},
		{"one that runs", "rm web", 1, "rm web: the container is running\nhint: mini stop web"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := m.do(strings.Fields(tt.args)...)
			assert.Equal(t, tt.status, r.status)
			assert.Regexp(t, tt.want, r.err)
			assert.Regexp(t, "^mini: [^\n]*\n(hint: [^\n]*\n)?$", r.err)
			assert.Empty(t, r.out)
			assert.Equal(t, "web", m.ok("ps", "-a", "--format", "{{.Names}}"))
			assert.Empty(t, m.ok("system", "check"))
		})
	}
}

// A disk that is full is told, with what may help, and nothing is half made or lost.
func TestFullDisk(t *testing.T) {
	m := aloneMini(t)
	disk := m.root
	require.NoError(t, os.MkdirAll(disk, 0o755))
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=100m,mode=0777"))
	defer func() { require.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) }()
	m.ok("run", "-d", "--name", "web", "--network", "none", "base", "sleep", "1000")
	before := m.names()
	fill := filepath.Join(disk, "fill")
	file, err := os.Create(fill)
	require.NoError(t, err)
	_, err = io.Copy(file, zeros{})
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoError(t, file.Close())
	refused := []struct {
		args   string
		status int
	}{
		{"run --rm --network none base true", 125},
		{"create base true", 1},
		{"cp " + m.path + " web:/x", 1},
		{"commit --pause=false web half", 1},
		{"rename web other", 1},
		{"volume create data", 1},
		{"tag base half", 1},
		{"save -o " + filepath.Join(disk, "half.tar") + " base", 1},
		{"build -t half " + dockerfile(t, "FROM base", "COPY Dockerfile /x"), 1},
	}
	if isRealRoot() { // others have no cgroup that could be frozen
		refused = append(refused, refused[0])
		refused[0].args, refused[0].status = "pause web", 1
	}
	for _, tt := range refused {
		t.Run(tt.args, func(t *testing.T) {
			r := m.do(strings.Fields(tt.args)...)
			assert.Equal(t, tt.status, r.status)
			assert.Contains(t, r.err, "no space left on device\nhint: mini system df shows")
			assert.Equal(t, 1, strings.Count("\n"+r.err, "\nmini: "), r.err)
		})
	}
	assert.Empty(t, m.ok("system", "check"))
	assert.Equal(t, "web Up", m.ok("ps", "-a", "--format", "{{.Names}} {{.Status}}")[:6])
	assert.Empty(t, m.ok("exec", "web", "true"), "it runs, and is not frozen")
	require.NoError(t, os.Remove(fill))
	m.ok("commit", "--pause=false", "web", "whole")
	assert.Equal(t, "whole:latest\n"+before, m.names())
	m.ok("rm", "-f", "web")
	assert.Empty(t, m.ok("system", "check"))
}

// zeros are bytes without end.
type zeros struct{}

// Read reads some.
func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Who is at a container when it is removed is told of its end, and does not wait for ever.
func TestContainerGoneMeanwhile(t *testing.T) {
	m := newMini(t)
	ticks := "while true; do echo tick; sleep 0.05; done"
	m.ok("run", "-d", "--name", "web", "--network", "none", "base", "sh", "-c", ticks)
	clients := []struct {
		status int
		args   []string
	}{
		{0, []string{"logs", "-f", "web"}},
		{137, []string{"attach", "--no-stdin", "web"}},
		{137, []string{"exec", "web", "sh", "-c", ticks}},
	}
	var started []*exec.Cmd
	var said []io.Reader
	for _, client := range clients {
		cmd := m.command(client.args...)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		started, said = append(started, cmd), append(said, out)
		_, err = io.ReadFull(out, make([]byte, len("tick")))
		require.NoError(t, err)
	}
	m.ok("rm", "-f", "web")
	for i, cmd := range started {
		_, err := io.Copy(io.Discard, said[i])
		require.NoError(t, err)
		_ = cmd.Wait() // whose status is looked at
		assert.Equal(t, clients[i].status, cmd.ProcessState.ExitCode(), clients[i].args)
	}
	assert.Empty(t, m.ok("system", "check"))
}

// A registry that gives another content than the digest says is not believed, and nothing
// stays of what it gave.
func TestLyingRegistry(t *testing.T) {
	m := newImages(t)
	lie := false
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if lie && strings.Contains(r.URL.Path, "/blobs/") {
				_, _ = w.Write([]byte("another")) // whoever asked may have gone
				return
			}
			handler.ServeHTTP(w, r)
		}))
	defer server.Close()
	name := strings.TrimPrefix(server.URL, "http://") + "/web:1"
	m.importFile("a", "1", name)
	m.ok("push", name)
	m.ok("rmi", name)
	lie = true
	before := m.names()
	r := m.do("pull", name)
	assert.Equal(t, 1, r.status)
	assert.Regexp(t, `mini: pull .*/web:1: .*blob sha256:[0-9a-f]{64}: .*`, r.err)
	assert.Equal(t, 1, strings.Count(r.err, "mini: "), r.err)
	assert.Equal(t, before, m.names())
	assert.Empty(t, m.ok("system", "check"))
}

// endsInterrupted interrupts a call, which says so in one line and ends as a shell would.
func endsInterrupted(t *testing.T, cmd *exec.Cmd, said *bytes.Buffer) {
	t.Helper()
	require.NoError(t, cmd.Process.Signal(unix.SIGINT))
	_ = cmd.Wait() // whose status is looked at
	assert.Equal(t, 128+2, cmd.ProcessState.ExitCode(), said.String())
	assert.Regexp(t, "^mini: .*: interrupted\n$", warnings.ReplaceAllString(said.String(), ""))
}

// Ctrl-C ends what waits for a registry in one line, and nothing stays of it.
func TestPullIsInterrupted(t *testing.T) {
	m := newImages(t)
	asked := make(chan bool, 10)
	server := httptest.NewServer(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			asked <- true
			<-r.Context().Done()
		}))
	defer server.Close()
	name := strings.TrimPrefix(server.URL, "http://") + "/web:1"
	before := m.names()
	for _, verb := range []string{"pull", "run"} {
		cmd := m.command(verb, name)
		var said bytes.Buffer
		cmd.Stderr = &said
		require.NoError(t, cmd.Start())
		<-asked
		endsInterrupted(t, cmd, &said)
	}
	assert.Equal(t, before, m.names())
	assert.Empty(t, m.ok("system", "check"))
}

// Ctrl-C ends who waits for more of an archive, and nothing stays of what there was.
func TestImportIsInterrupted(t *testing.T) {
	m := newImages(t)
	before := m.names()
	for _, args := range [][]string{{"import", "-", "half"}, {"load"}} {
		cmd := m.command(args...)
		var said bytes.Buffer
		cmd.Stderr = &said
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		archive := tar.NewWriter(in)
		const large = 8 << 20
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: "half", Mode: 0o600, Size: large}))
		_, err = archive.Write(make([]byte, large/2)) // more than a pipe holds: it is being read
		require.NoError(t, err)
		endsInterrupted(t, cmd, &said)
	}
	assert.Equal(t, before, m.names())
	assert.Empty(t, m.ok("system", "check"))
}

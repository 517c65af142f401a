package tutorial

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"lab/internal/lesson"
	"lab/internal/lesson/lessontest"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
)

func TestMain(m *testing.M) { os.Exit(sandbox.Run(host{m})) }

// host is a throw-away host with cgroups of its own in each hierarchy of version 1 that
// a container joins.
type host struct{ *testing.M }

// Controllers names what containers join beside memory, cpu and pids, and what systemd in
// one wants to.
func (host) Controllers() []string {
	return []string{"blkio", "cpuacct", "cpuset", "devices", "freezer", "name=systemd"}
}

// Everything in the tutorial prints what stands there, from the first build to an image
// that comes back from a registry.
func TestTutorial(t *testing.T) {
	need.Overlay(t)
	need.Tool(t, "busybox", "busybox-static")
	serve(t)
	docs := filepath.Join("..", "..", "docs")
	text, err := os.ReadFile(filepath.Join(docs, "tutorial-mini.md"))
	require.NoError(t, err)
	tutorial, err := lesson.Read(string(text))
	require.NoError(t, err)
	here := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(here, "docs", "web"),
		os.DirFS(filepath.Join(docs, "web"))))
	lessontest.TypeIn(t, here, programs(t), tutorial)
}

// serve starts the registry of the tutorial. The loopback device is the throw-away host's.
func serve(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:5000")
	require.NoError(t, err)
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	go server.Serve(listener) //nolint:errcheck // It ends with Close.
	t.Cleanup(func() { require.NoError(t, server.Close()) })
}

// programs is a directory with a mini that keeps all it has in a directory of its own.
// When the test ends its containers are removed, and nothing of them is left.
func programs(t *testing.T) (bin string) {
	t.Helper()
	paths, err := program.Paths(t.Context(), "mini", "minirun")
	require.NoError(t, err)
	dir, err := os.MkdirTemp("/run", "t") //nolint:usetesting // Paths of sockets are short.
	require.NoError(t, err)
	bin = t.TempDir()
	mini := filepath.Join(bin, "mini")
	script := fmt.Sprintf("#!/bin/sh\nexec %s --root %s/root --state %[2]s/state \"$@\"\n",
		paths["mini"], dir)
	require.NoError(t, os.WriteFile(mini, []byte(script), 0o755)) //nolint:gosec // A program.
	t.Cleanup(func() {
		left, err := exec.Command(mini, "ps", "-aq").Output()
		require.NoError(t, err)
		for id := range strings.FieldsSeq(string(left)) {
			require.NoError(t, exec.Command(mini, "rm", "-f", id).Run())
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return bin
}

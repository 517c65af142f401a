//go:build linux

package instruments

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check/checktest"
	"lab/internal/isolation"
	"lab/internal/layers"
	"lab/internal/need"
)

// engine is a podman with a store of its own, which sees cgroups of version 2 alone:
// on a hybrid machine its crun runs nothing.
type engine struct {
	dir   string
	flags []string
}

// podman makes an engine whose store has an image, made of the built-in root and,
// on top of it, some layers with a file each.
func podman(t *testing.T, store string, files int) engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "pod") //nolint:usetesting // podman wants a short name
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	e := engine{dir: dir, flags: []string{
		"--root", filepath.Join(dir, store), "--runroot", filepath.Join(dir, "run"),
		"--tmpdir", filepath.Join(dir, "tmp"), "--storage-driver", "overlay", "--runtime", "crun",
		"--cgroup-manager", "cgroupfs", "--events-backend", "none",
	}}
	// Locks in a file: the other kind stays in the /dev/shm of the machine.
	config := "[engine]\nlock_type = \"file\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "containers.conf"), []byte(config), 0o600))

	tarball := filepath.Join(dir, "root.tar")
	out, err := exec.CommandContext(t.Context(),
		"tar", "-C", checktest.Root(t), "-cf", tarball, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	e.do(t, "import", tarball, "localhost/box")
	t.Cleanup(func() { e.remove(t) })

	var file strings.Builder
	file.WriteString("FROM localhost/box\n")
	for i := range files {
		fmt.Fprintf(&file, "COPY Containerfile /layer%d\n", i)
	}
	path := filepath.Join(dir, "context", "Containerfile")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(file.String()), 0o600))
	if files > 0 {
		e.do(t, "build", "--layers", "--isolation", "chroot", "-t", "localhost/box",
			filepath.Dir(path))
	}
	return e
}

// do runs a command of the engine and returns the last line that it prints.
func (e engine) do(t *testing.T, args ...string) string {
	t.Helper()
	// What podman knows of blobs it keeps in /var/lib, wherever its store is.
	const alone = `mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /var/lib &&
		exec podman "$@"`
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()),
		"unshare", append([]string{"--mount", "sh", "-c", alone, "sh"},
			append(e.flags, args...)...)...)
	cmd.Env = append(os.Environ(), "HOME="+e.dir,
		"CONTAINERS_CONF="+filepath.Join(e.dir, "containers.conf"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// remove ends the containers and waits for the monitor, which tidies up after them.
func (e engine) remove(t *testing.T) {
	t.Helper()
	e.do(t, "rm", "--all", "--force", "--time", "0")
	assert.Eventually(t, func() bool {
		found, err := filepath.Glob("/proc/[0-9]*/cmdline")
		require.NoError(t, err)
		for _, path := range found {
			text, _ := os.ReadFile(path) // it may have ended
			if strings.Contains(string(text), e.dir) {
				return false
			}
		}
		return true
	}, 2*time.Minute, 20*time.Millisecond, "a monitor goes on")
}

// start runs a container that changes its root and waits, and returns its pid.
func (e engine) start(t *testing.T) int {
	t.Helper()
	id := e.do(t, "run", "--detach", "--network", "none", "--cgroups", "disabled",
		"localhost/box", "sh", "-c",
		"echo changed >> /etc/passwd; rm /bin/stat; mkdir /new; touch /ready; sleep 1000")
	pid, err := strconv.Atoi(e.do(t, "inspect", "--format", "{{.State.Pid}}", id))
	require.NoError(t, err)
	require.Greater(t, pid, 1)
	require.Eventually(t, func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/root/ready", pid))
		return err == nil
	}, 2*time.Minute, 10*time.Millisecond)
	return pid
}

// A container of podman is explained from outside: its layers are found in the
// engine's store, by absolute names, or, where they would not fit the page that
// mount(2) takes, by names relative to the store.
func TestLayersOfPodman(t *testing.T) {
	need.RealRoot(t)
	need.Tool(t, "podman", "podman")
	need.Tool(t, "crun", "crun")
	need.Sandbox(t)
	need.Overlay(t)
	for _, tt := range []struct {
		name, store string
		layers      int
	}{
		{"absolute names", "store", 1},
		{"relative names", strings.Repeat("a-long-name/", 50) + "store", 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := podman(t, tt.store, tt.layers)
			pid := strconv.Itoa(e.start(t))

			var stack layers.Document
			document(t, &stack, "layers", pid)
			require.Len(t, stack.Layers, tt.layers+2)
			for _, l := range stack.Layers {
				assert.True(t, strings.HasPrefix(l.Dir, filepath.Join(e.dir, tt.store)), "%+v", l)
				absolute := strings.HasPrefix(l.Option, "/")
				assert.Equal(t, tt.name == "absolute names", absolute, l.Option)
			}
			states := map[string]layers.State{}
			for _, entry := range stack.Entries {
				states[entry.Path] = entry.State
			}
			lowest := stack.Layers[len(stack.Layers)-1].Name
			assert.Equal(t, layers.Whiteout, states["/bin/stat"])
			assert.Equal(t, layers.CopiedUp, states["/etc/passwd"])
			assert.Equal(t, layers.New, states["/new"])
			assert.Equal(t, layers.Plain, states["/layer0"])
			for _, entry := range stack.Entries {
				if entry.Path == "/bin/cat" {
					assert.Equal(t, lowest, entry.Layer)
				}
			}

			var page isolation.Document
			document(t, &page, "inspect", pid)
			for _, kind := range []string{"ipc", "mnt", "net", "pid", "uts"} {
				verdict := line(t, page, "namespaces", kind).Verdict
				assert.Equal(t, isolation.Isolated, verdict, kind)
			}
			assert.Equal(t, "1 filter", line(t, page, "confinement", "seccomp").Value)
			assert.Contains(t, line(t, page, "files", "root").Meaning, "layers")
		})
	}
}

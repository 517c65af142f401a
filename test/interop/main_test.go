package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lab/internal/baseroot"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// base is where all engines keep what they have. It is a file system of the throw-away
// host and ends with it, however the tests end.
const base = "/var/lib/interop"

func TestMain(m *testing.M) { os.Exit(sandbox.Run(host{m})) }

// host is a throw-away host with cgroups of its own in every hierarchy of version 1
// that an engine or a runtime joins.
type host struct{ *testing.M }

// Controllers names all that there may be beside memory, cpu and pids: containerd reads
// nothing of a container that is in a hierarchy which it does not find mounted.
func (host) Controllers() []string {
	return []string{
		"blkio", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "misc", "name=systemd",
		"net_cls", "net_prio", "perf_event", "rdma",
	}
}

// Furnish covers what engines write to wherever they are told to keep their things:
// /var/lib, and /etc, of which the host gets a copy that only it changes.
func (host) Furnish() error {
	if os.Geteuid() != 0 || !need.Look().RealRoot {
		return nil // the tests are skipped
	}
	if err := unix.Mount("interop", "/var/lib", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on /var/lib: %w", err)
	}
	// Docker warns in every run where it is off. It is this host's own network.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return err
	}
	for _, dir := range []string{"etc", "work", "home", "tmp"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			return err
		}
	}
	layers := "lowerdir=/etc,upperdir=" + base + "/etc,workdir=" + base + "/work"
	if err := unix.Mount("interop", "/etc", "overlay", 0, layers); err != nil {
		return fmt.Errorf("mount overlay on /etc: %w", err)
	}
	return nil
}

// Run runs the tests and prints what they found.
func (h host) Run() int {
	status := h.M.Run()
	found.print(os.Stdout)
	return status
}

// machine is what all engines need here: the runtime's path, and the built-in root as an
// archive.
type machine struct{ runtime, archive string }

// prepare skips a test where no engine can be run, and else makes what they all need.
func prepare(t *testing.T) machine {
	t.Helper()
	need.RealRoot(t)
	need.Sandbox(t)
	need.Overlay(t)
	m := machine{runtime: os.Getenv("LAB_INTEROP_RUNTIME"), archive: base + "/box.tar"}
	if m.runtime == "" {
		path, err := program.Path(t.Context(), "minirun")
		require.NoError(t, err)
		m.runtime = path
	} else {
		m.runtime = need.Tool(t, m.runtime, m.runtime)
	}
	// For podman and buildah. Locks in a file: the other kind stays in /dev/shm. There is no journal here.
	config := "[engine]\nlock_type = \"file\"\nevents_logger = \"file\"\n" +
		"[containers]\nlog_driver = \"k8s-file\"\nnetns = \"none\"\n" +
		"init_path = \"/usr/bin/tini-static\"\n"
	require.NoError(t, os.WriteFile(base+"/containers.conf", []byte(config), 0o600))
	if _, err := os.Stat(m.archive); err != nil {
		require.NoError(t, archive(t.Context(), m.archive))
	}
	return m
}

// archive writes the built-in root as a tar archive.
func archive(ctx context.Context, path string) error {
	lab, err := program.Path(ctx, "lab")
	if err != nil {
		return err
	}
	root := filepath.Join(base, "root")
	if err := baseroot.Write(root, baseroot.Source{Lab: lab}); err != nil {
		return err
	}
	return run("tar", "-C", root, "-cf", path, ".").failure()
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// parentV2 is where a container's cgroup is made, on the host: at the top or,
// where systemd owns that, in the cgroup that it has delegated to us.
func parentV2(top, root string) (string, error) {
	if !underSystemd() {
		return top, nil
	}
	// 0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope
	lines, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(lines)) {
		own, found := strings.CutPrefix(strings.TrimSpace(line), "0::")
		below, err := filepath.Rel(root, own)
		if found && err == nil && !strings.HasPrefix(below, "..") {
			return filepath.Join(top, below), nil
		}
	}
	return top, nil
}

// handOn has the parent hand its controllers on to its children. The kernel
// refuses that with EBUSY while processes are in the parent: they would
// compete with its children. If it is only us, we move.
func (g *v2) handOn() error {
	const file = "cgroup.subtree_control"
	already, err := readWords(filepath.Join(g.parent, file))
	if err != nil {
		return err
	}
	for _, name := range g.controllers {
		if slices.Contains(already, name) {
			continue
		}
		// echo +memory > /sys/fs/cgroup/cgroup.subtree_control
		err := write(g.parent, file, "+"+name)
		if errors.Is(err, unix.EBUSY) && !g.inLeaf {
			if err := g.moveToLeaf(); err != nil {
				return err
			}
			err = write(g.parent, file, "+"+name)
		}
		if err != nil {
			return err
		}
		g.enabled = append(g.enabled, name)
	}
	return nil
}

// moveToLeaf makes room in the parent, on the host, if no one else is there.
func (g *v2) moveToLeaf() error {
	members, err := readWords(filepath.Join(g.parent, "cgroup.procs"))
	if err != nil {
		return err
	}
	own := strconv.Itoa(os.Getpid())
	if others := slices.DeleteFunc(members, func(pid string) bool {
		return pid == own
	}); len(others) > 0 {
		return hinted{fmt.Errorf("cgroup %s has %d other processes, so it "+
			"cannot hand controllers on", g.parent, len(others)), inScope()}
	}
	// mkdir leaf; echo $$ > leaf/cgroup.procs
	leaf := filepath.Join(g.parent, "leaf")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	g.inLeaf = true
	return write(leaf, "cgroup.procs", own)
}

// refused says what a refusal by the kernel means, on the host.
func (p place) refused(err error) error {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) {
		return err
	}
	advice := asRoot()
	if p.version == 2 && underSystemd() {
		advice = inScope()
	}
	return hinted{fmt.Errorf("no cgroup is delegated to us: %w", err), advice}
}

// underSystemd tells as sd_booted(3) does.
func underSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// inScope is this very command line in a delegated cgroup of its own.
func inScope() string {
	scope := "systemd-run --scope -p Delegate=yes "
	// The machine's root has all ids:          0          0 4294967295
	ids, _ := readWords("/proc/self/uid_map")
	if os.Getuid() != 0 || !slices.Contains(ids, "4294967295") {
		scope = "systemd-run --user --scope -p Delegate=yes "
	}
	return scope + strings.TrimPrefix(asRoot(), "sudo ")
}

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

// handOn has the parent hand its controllers on to its children, on the host.
// Only the root of all can do that with processes in it: elsewhere they would
// compete with the children.
func (g *v2) handOn() error {
	_, err := os.Stat(filepath.Join(g.parent, "cgroup.type"))
	if isRoot := errors.Is(err, fs.ErrNotExist); !isRoot {
		if err := g.makeRoom(); err != nil {
			return err
		}
	}
	const file = "cgroup.subtree_control"
	already, err := readWords(filepath.Join(g.parent, file))
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range g.controllers {
		if !slices.Contains(already, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	g.enabled = missing
	// echo "+memory +cpu" > /sys/fs/cgroup/cgroup.subtree_control
	return write(g.parent, file, "+"+strings.Join(missing, " +"))
}

// makeRoom moves this process from the parent into a leaf beside the container,
// on the host. Other processes are not ours to move.
func (g *v2) makeRoom() error {
	members, err := readWords(filepath.Join(g.parent, "cgroup.procs"))
	if err != nil || len(members) == 0 {
		return err
	}
	own := strconv.Itoa(os.Getpid())
	if len(members) > 1 || members[0] != own {
		return hinted{fmt.Errorf("other processes are in %s, so it cannot "+
			"hand controllers on", g.parent), inScope()}
	}
	// mkdir leaf; echo $$ > leaf/cgroup.procs
	leaf := filepath.Join(g.parent, "leaf")
	err = os.Mkdir(leaf, 0o755)
	if err != nil && !errors.Is(err, fs.ErrExist) {
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
	if os.Getenv("SUDO_UID") != "" { // whoever pastes it is not root yet
		scope = "sudo " + scope
	}
	// The machine's root has all ids:          0          0 4294967295
	ids, _ := readWords("/proc/self/uid_map")
	if os.Getuid() != 0 || !slices.Contains(ids, "4294967295") {
		scope = "systemd-run --user --scope -p Delegate=yes "
	}
	return scope + strings.TrimPrefix(asRoot(), "sudo ")
}

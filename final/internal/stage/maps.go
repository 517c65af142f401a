//go:build linux

package stage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// WriteMaps writes the maps of a process that is alone in its new user namespace. What
// the kernel does not let this process write, newuidmap(1) and newgidmap(1) write: they
// are set-user-ID root and look into /etc/subuid and /etc/subgid.
func WriteMaps(pid int, uids, gids []specs.LinuxIDMapping) error {
	if err := writeGIDs(pid, gids); err != nil {
		return err
	}
	err := writeMap(pid, "uid_map", uids)
	if errors.Is(err, unix.EPERM) {
		return help("newuidmap", pid, uids, err)
	}
	return err
}

// writeGIDs writes the map of groups. Whoever maps the own group without help has to
// give up setgroups(2) first, in the child: it could leave a group that is shut out
// from a file.
//
//	echo deny > /proc/PID/setgroups
func writeGIDs(pid int, gids []specs.LinuxIDMapping) error {
	err := writeMap(pid, "gid_map", gids)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	if len(gids) != 1 || gids[0].Size != 1 || gids[0].HostID != uint32(os.Getegid()) {
		return help("newgidmap", pid, gids, err)
	}
	path := fmt.Sprintf("/proc/%d/setgroups", pid)
	if err := os.WriteFile(path, []byte("deny"), 0); err != nil {
		return err
	}
	return writeMap(pid, "gid_map", gids)
}

// writeMap writes a map with one write(2), as the kernel demands.
//
//	0 1000 1
//	1 100000 65536
//	(1)first inside (2)first outside (3)how many
func writeMap(pid int, file string, ids []specs.LinuxIDMapping) error {
	var text strings.Builder
	for _, m := range ids {
		fmt.Fprintf(&text, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text.String())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("map %q: %w", strings.TrimSpace(text.String()), err)
	}
	return nil
}

// help has a setuid helper write a map that was refused to us.
//
//	newuidmap PID 0 1000 1 1 100000 65536
func help(helper string, pid int, ids []specs.LinuxIDMapping, refused error) error {
	path, err := exec.LookPath(helper)
	if err != nil {
		return fmt.Errorf("%w, and there is no %s on PATH", refused, helper)
	}
	args := []string{strconv.Itoa(pid)}
	for _, m := range ids {
		args = append(args, fmt.Sprint(m.ContainerID), fmt.Sprint(m.HostID), fmt.Sprint(m.Size))
	}
	said, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %s: %w",
			helper, strings.Join(args, " "), bytes.TrimSpace(said), err)
	}
	return nil
}

// writeOffsets sets the clocks of the time namespace that the process has made: until
// the first process is in it they can be.
//
//	monotonic 172800 0
//	boottime 604800 0
//	(1)clock (2)seconds (3)nanoseconds
func writeOffsets(pid int, offsets map[string]specs.LinuxTimeOffset) error {
	var text strings.Builder
	for clock, o := range offsets {
		fmt.Fprintf(&text, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
	}
	path := fmt.Sprintf("/proc/%d/timens_offsets", pid)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text.String())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("time offsets %q: %w", strings.TrimSpace(text.String()), err)
	}
	return nil
}

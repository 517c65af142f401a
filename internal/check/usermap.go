//go:build linux

package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"lab/internal/inspect"
)

// rootIsMapped compares the maps with who the agent is outside.
func rootIsMapped(h *Held) error {
	status, err := inspect.ReadStatus(h.PID)
	if err != nil {
		return err
	}
	for _, id := range []struct {
		kind    string
		outside int
	}{{"uid", status.UID[0]}, {"gid", status.GID[0]}} {
		maps, err := inspect.IDMap(h.PID, id.kind)
		if err != nil {
			return err
		}
		if len(maps) > 0 && maps[0].Inside == 0 && maps[0].Outside == id.outside {
			continue
		}
		f := &Failure{
			Command:  h.Command,
			Expected: fmt.Sprintf("%s 0 inside stands for %d outside", id.kind, id.outside),
			Kernel:   fmt.Sprintf("/proc/%d/%s_map: %v", h.PID, id.kind, maps),
			Mistake:  id.kind + "-0-not-mapped",
			Diagnosis: fmt.Sprintf("The map does not make %s 0 the id that the command has "+
				"outside: inside it is somebody else.", id.kind),
			Look: fmt.Sprintf("cat /proc/%s/%s_map", h.pid(), id.kind),
		}
		if len(maps) == 0 {
			f.Mistake = "map-empty"
			f.Diagnosis = "A user namespace without a map has no ids: everybody in it is nobody."
		}
		return f
	}
	return accountsNotMapped(h)
}

// accountsNotMapped looks for accounts of the host among the ids that the
// container may use, other than that of whoever runs the program, and nobody's.
func accountsNotMapped(h *Held) error {
	program, errProgram := inspect.ReadStatus(h.Program)
	maps, errMaps := inspect.IDMap(h.PID, "uid")
	real, errReal := rootIsReal()
	if err := errors.Join(errProgram, errMaps, errReal); err != nil || !real {
		return err
	}
	all, err := accounts()
	if err != nil {
		return err
	}
	for id, name := range all {
		for _, m := range maps {
			if id < m.Outside || id >= m.Outside+m.Size || id == program.UID[1] {
				continue
			}
			return &Failure{
				Command:  h.Command,
				Expected: "no account of this host has an id of the container's",
				Kernel: fmt.Sprintf("/proc/%d/uid_map: %v, and %d is %s in /etc/passwd",
					h.PID, maps, id, name),
				Mistake: "accounts-mapped",
				Diagnosis: "Users inside stand for users of this host: the container's root can " +
					"become them, and so end their processes and read their files.",
				Look: fmt.Sprintf("cat /proc/%s/uid_map /etc/passwd", h.pid()),
			}
		}
	}
	return nil
}

// accounts returns the names of the host's users by id, without nobody. A host
// without the file has none.
//
//	daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
func accounts() (map[int]string, error) {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[int]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 || fields[0] == "nobody" {
			continue
		}
		if id, err := strconv.Atoi(fields[2]); err == nil {
			all[id] = fields[0]
		}
	}
	return all, nil
}

//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"lab/internal/inspect"
)

// execBeforeMap is a diagnosis.
const execBeforeMap = "A child that was executed before its map was written has no " +
	"capabilities: it has to execute itself again once it is uid 0."

// glimpse is what was last seen of the program's child before it ended.
type glimpse struct {
	pid      int
	apart    bool // whether it has a user namespace of its own
	maps     []inspect.Mapping
	uid      int // outside
	capable  bool
	notOwned string // a namespace that belongs to another user namespace
}

// further reports whether one glimpse shows a child that came further than another:
// it gets a namespace first, and then a map.
func (g glimpse) further(than glimpse) bool {
	if g.apart != than.apart {
		return g.apart
	}
	return len(g.maps) >= len(than.maps)
}

// whyNoUser finds out why a program with -user does not come to run its command.
// It runs the program a few times more and looks at its child while there is one.
func (s *Subject) whyNoUser(ctx context.Context, err error) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Mistake == "flag-unknown" {
		return err
	}
	var last glimpse
	for range 3 {
		g, errLook := s.glimpse(ctx, f.Mistake != "gave-up")
		if errLook != nil {
			return errors.Join(err, errLook)
		}
		if g.pid != 0 && g.further(last) {
			last = g
		}
	}
	if last.pid != 0 {
		f.explain(last)
	}
	return f
}

// explain names the mistake that shows in a glimpse of the child.
func (f *Failure) explain(g glimpse) {
	said := strings.ToLower(f.Kernel)
	refused := strings.Contains(said, "_map") && strings.Contains(said, "not permitted")
	switch {
	case !g.apart:
		f.Kernel += "; its child is in the host's user namespace"
		f.Mistake = "no-clone-newuser"
		f.Diagnosis = "The child was cloned without CLONE_NEWUSER, " +
			"and ids cannot be mapped in the host's own user namespace."
	case len(g.maps) == 0 && refused:
		f.Kernel += "; the child's uid_map is empty"
		f.Mistake = "map-written-by-child"
		f.Diagnosis = "The child may not write its own map: " +
			"the parent, which is outside of the user namespace, has to write /proc/PID/uid_map."
	case len(g.maps) == 0:
		f.Kernel += "; the child's uid_map is empty"
		f.Mistake = "map-empty"
		f.Diagnosis = "A user namespace without a map has no ids: the child is nobody in it, " +
			"and has no capabilities there."
	case !covered(g.uid, g.maps):
		f.Kernel += fmt.Sprintf("; the child's uid is %d outside, its uid_map %v", g.uid, g.maps)
		f.Mistake = "child-not-in-map"
		f.Diagnosis = "The child still has the uid of whoever started it, for which the map has " +
			"no name: it has to become uid 0 before it is executed."
	case !g.capable:
		f.Kernel += "; the child's uid_map is written, and its CapEff is 0"
		f.Mistake = "exec-before-map"
		f.Diagnosis = execBeforeMap
	case g.notOwned != "":
		f.Kernel += fmt.Sprintf("; the child's %s namespace belongs to another user namespace",
			g.notOwned)
		f.Mistake = "namespace-not-owned"
		f.Diagnosis = "Root of a user namespace has rights over the namespaces that were made in " +
			"it or with it: this one was made before, or is the host's."
	}
}

// covered reports whether a map has an id of the outside.
func covered(id int, maps []inspect.Mapping) bool {
	return slices.ContainsFunc(maps, func(m inspect.Mapping) bool {
		return m.Outside <= id && id < m.Outside+m.Size
	})
}

// glimpse runs the program once and looks at its child again and again until
// the program ends; one that hangs is ended after a moment.
func (s *Subject) glimpse(ctx context.Context, hangs bool) (glimpse, error) {
	var last glimpse
	h, err := s.Start(ctx, []string{"-user", "-rootfs", s.Root}, s.Probe(true), "exit", "0")
	if err != nil {
		return last, err
	}
	defer h.kill()
	own, err := inspect.Namespace(os.Getpid(), "user")
	if err != nil {
		return last, err
	}
	limit := timeLimit()
	if hangs {
		limit = time.Second
	}
	for began := time.Now(); time.Since(began) < limit; {
		select {
		case <-h.ended:
			return last, nil
		default:
		}
		below, err := inspect.Descendants(h.Program)
		if err != nil || len(below) == 0 {
			continue
		}
		if g, err := look(below[0], own); err == nil {
			last = g
		}
	}
	return last, nil
}

// look reads what shows whether a child can be root of a user namespace.
func look(pid int, hosts uint64) (glimpse, error) {
	g := glimpse{pid: pid}
	user, err := inspect.Namespace(pid, "user")
	if err != nil {
		return g, err
	}
	status, err := inspect.ReadStatus(pid)
	if err != nil || status.State == 'Z' {
		return g, errors.Join(err, os.ErrProcessDone)
	}
	g.apart, g.uid, g.capable = user != hosts, status.UID[0], status.CapEff != 0
	if !g.apart {
		return g, nil
	}
	if g.maps, err = inspect.IDMap(pid, "uid"); err != nil {
		return g, err
	}
	for _, kind := range []string{"uts", "pid", "mnt", "net"} {
		owner, err := inspect.Owner(pid, kind)
		if err != nil {
			return g, err
		}
		if owner != user {
			g.notOwned = kind
		}
	}
	return g, nil
}

//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Scope is a unit of systemd's for a container: a cgroup with processes that systemd
// has not started. See systemd.scope(5).
type Scope struct {
	Slice string `json:"slice"` // user.slice
	Unit  string `json:"unit"`  // libpod-1234.scope
	// Socket is where the systemd listens that has made it.
	Socket string `json:"socket,omitempty"`
}

// ParseScope reads a cgroupsPath as clients write it for --systemd-cgroup,
// "slice:prefix:name", each of which may be empty.
func ParseScope(cgroupsPath, id string, rootless bool) (Scope, error) {
	parts := strings.Split(cgroupsPath, ":")
	if cgroupsPath == "" {
		parts = []string{"", "minirun", id}
	}
	if len(parts) != 3 {
		return Scope{}, fmt.Errorf("cgroupsPath %q: with systemd it is slice:prefix:name",
			cgroupsPath)
	}
	s := Scope{Slice: parts[0], Unit: parts[2]}
	if s.Slice == "" {
		if s.Slice = "system.slice"; rootless {
			s.Slice = "user.slice"
		}
	}
	if s.Unit == "" {
		s.Unit = id
	}
	if !strings.HasSuffix(s.Unit, ".slice") {
		if parts[1] != "" {
			s.Unit = parts[1] + "-" + s.Unit
		}
		s.Unit += ".scope"
	}
	if strings.Contains(s.Slice+s.Unit, "/") || !strings.HasSuffix(s.Slice, ".slice") {
		return Scope{}, fmt.Errorf("cgroupsPath %q: %q is not the name of a slice, or %q not "+
			"that of a unit", cgroupsPath, s.Slice, s.Unit)
	}
	return s, nil
}

// Scope is the unit of a container whose cgroupsPath this is, and the cgroup that is
// asked for: the unit's.
func (h Host) Scope(cgroupsPath, id string, l Limits) (Scope, Request, error) {
	if !h.Systemd {
		return Scope{}, Request{}, ErrNoSystemd
	}
	s, err := ParseScope(cgroupsPath, id, h.Rootless)
	r := Request{Needed: l.Needed, Wished: append(accounting(), "freezer")}
	r.Path = path.Join(h.managed(), s.Path())
	return s, r, err
}

// managed is the cgroup below which systemd makes its units: for an ordinary user that of
// the user's own manager, else the top.
//
//	0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope
func (h Host) managed() string {
	for _, hierarchy := range h.Hierarchies {
		before, _, found := strings.Cut(hierarchy.Own, ".service/")
		if h.Rootless && found && strings.Contains(before, "/user@") {
			return before + ".service"
		}
	}
	return "/"
}

// Path is where systemd puts the unit, below its own top: each dash of a slice's name
// is a step down.
//
//	a-b.slice, web.scope    /a.slice/a-b.slice/web.scope
func (s Scope) Path() string {
	dir := "/"
	name := strings.TrimSuffix(s.Slice, ".slice")
	if name != "-" { // the root slice
		for i, char := range name + "-" {
			if char == '-' {
				dir = path.Join(dir, name[:i]+".slice")
			}
		}
	}
	return path.Join(dir, s.Unit)
}

// StartScope has systemd make the unit around a process that is there already: init, before
// it does anything. What is returned can be removed, and is to be completed by Adopt.
//
//	busctl call … StartTransientUnit 'ssa(sv)a(sa(sv))' web.scope replace 9 PIDs au 1 4711 …
func StartScope(h Host, s Scope, pid int, r Request, l Limits) (*Cgroup, error) {
	if pid <= 1 {
		return nil, fmt.Errorf("there is no process %d", pid)
	}
	s.Socket = socket(h.Rootless)
	err := s.ask(func(b *bus) error { return b.startUnit(s.Unit, scopeProperties(s, pid, l)) })
	if err != nil {
		return nil, err
	}
	return scopeOf(h, s, pid, r)
}

// limit tells systemd of limits that have changed; a restart of the machine ends them.
//
//	systemctl set-property --runtime web.scope MemoryMax=64M
func (s Scope) limit(writes []Write) error {
	properties := limitProperties(writes)
	if len(properties) == 0 {
		return nil
	}
	body := &wire{}
	body.string(s.Unit)
	body.uint32(1) // true: until the machine is restarted
	writeProperties(body, properties)
	err := s.ask(func(b *bus) error { return b.do("SetUnitProperties", "sba(sv)", body) })
	if err != nil {
		return fmt.Errorf("set the limits of %s: %w", s.Unit, err)
	}
	return nil
}

// stop has systemd stop the unit, which ends whatever runs in it still. One that is gone
// already is fine: it goes by itself with its last process.
//
//	systemctl stop web.scope
func (s Scope) stop() error {
	body := &wire{}
	body.string(s.Unit)
	body.string("replace")
	err := s.ask(func(b *bus) error { return b.job("StopUnit", "ss", body) })
	if err == nil || strings.Contains(err.Error(), "not loaded") {
		return nil
	}
	return fmt.Errorf("stop %s: %w", s.Unit, err)
}

// ask talks with systemd.
func (s Scope) ask(say func(*bus) error) error {
	b, err := dial(s.Socket)
	if err != nil {
		return err
	}
	defer b.conn.Close()
	return say(b)
}

// ErrNoSystemd means that nobody is there to make a scope (sd_booted(3)).
var ErrNoSystemd = errors.New("--systemd-cgroup: systemd does not run this machine: there is " +
	"no /run/systemd/system")

// socket is where systemd listens: the machine's, or the user's own.
func socket(rootless bool) string {
	if !rootless {
		return "/run/systemd/private"
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(os.Getuid())
	}
	return filepath.Join(dir, "systemd/private")
}

// startUnit makes a unit and waits until systemd has done that job.
func (b *bus) startUnit(unit string, properties []property) error {
	body := &wire{}
	body.string(unit)
	body.string("replace")
	writeProperties(body, properties)
	body.array(8, func() {}) // no other units
	return b.job("StartTransientUnit", "ssa(sv)a(sa(sv))", body)
}

// Adopt makes what of the cgroup systemd has not made, and moves the process there: on
// version 1 systemd knows only some of the controllers.
func (c *Cgroup) Adopt(pid int, needed []string) error {
	for i := range c.Places {
		if err := c.Places[i].adopt(pid, needed); err != nil {
			return err
		}
	}
	return nil
}

// adopt makes sure of one place.
func (p *Place) adopt(pid int, needed []string) error {
	err := p.makeParents(filepath.Dir(p.Dir))
	if err == nil && p.Version == 2 {
		err = p.handOn(needed)
	}
	if err == nil {
		err = p.makeOne(p.Dir)
	}
	if err != nil {
		return err
	}
	procs, who := filepath.Join(p.Dir, "cgroup.procs"), strconv.Itoa(pid)
	members, err := readWords(procs)
	if err != nil || slices.Contains(members, who) {
		return err
	}
	return writeFile(procs, who)
}

// scopeOf finds where systemd has put a process, and where else it will be.
func scopeOf(h Host, s Scope, pid int, r Request) (*Cgroup, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	own, err := parseOwn(string(text))
	if err != nil {
		return nil, err
	}
	made, known := own["name=systemd"] // version 1 and hybrid
	if !known {
		made = own[""]
	}
	if path.Base(made) != s.Unit {
		return nil, fmt.Errorf("systemd has done it, but process %d is in cgroup %s", pid, made)
	}
	r.Path = made
	places, err := h.Places(r)
	return &Cgroup{Path: made, Places: places, Made: true, Scope: &s}, err
}

//go:build linux

package cgroup

import (
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

// StartScope has systemd make the unit around a process that is there already, and
// then makes what of the cgroup systemd has not made: on version 1 it knows only some
// of the controllers. The process is init before it does anything.
//
//	busctl call … StartTransientUnit 'ssa(sv)a(sa(sv))' web.scope replace 9 PIDs au 1 4711 …
func StartScope(h Host, s Scope, pid int, l Limits) (*Cgroup, error) {
	if pid <= 1 {
		return nil, fmt.Errorf("start %s: there is no process %d", s.Unit, pid)
	}
	b, err := dial(socket(h.Rootless))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Unit, err)
	}
	defer b.conn.Close()
	if err := b.startUnit(s.Unit, scopeProperties(s, pid, l)); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Unit, err)
	}
	return adopt(h, s, pid, l)
}

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

// startUnit waits until systemd has done the job.
func (b *bus) startUnit(unit string, properties []property) error {
	body := &wire{}
	body.string(unit)
	body.string("replace")
	body.array(8, func() {
		for _, p := range properties {
			p.write(body)
		}
	})
	body.array(8, func() {}) // no other units
	serial, err := b.call("StartTransientUnit", "ssa(sv)a(sa(sv))", body)
	if err != nil {
		return err
	}
	job, results := "", map[string]string{}
	for job == "" || results[job] == "" {
		m, err := b.receive()
		if err != nil {
			return fmt.Errorf("wait for systemd: %w", err)
		}
		switch {
		case m.kind == methodError && m.replyTo == serial:
			return fmt.Errorf("systemd says: %s", m.body.readString())
		case m.kind == methodReturn && m.replyTo == serial:
			job = m.body.readString()
		case m.kind == signalMessage && m.member == "JobRemoved":
			// id, path of the job, unit, result
			m.body.readUint32()
			removed := m.body.readString()
			m.body.readString()
			results[removed] = m.body.readString()
		}
		if m.body.err != nil {
			return m.body.err
		}
	}
	if results[job] != "done" {
		return fmt.Errorf("systemd says: the job is %s", results[job])
	}
	return nil
}

// adopt finds the process's cgroup in each hierarchy that is needed, makes the ones that
// systemd has not made, and moves the process there.
func adopt(h Host, s Scope, pid int, l Limits) (*Cgroup, error) {
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
		return nil, fmt.Errorf("start %s: systemd has done it, but process %d is in cgroup %s",
			s.Unit, pid, made)
	}
	r := Request{Path: made, Needed: l.Needed, Wished: append(accounting(), "freezer")}
	places, err := h.Places(r)
	if err != nil {
		return nil, err
	}
	c := &Cgroup{Path: made, Made: true}
	for _, p := range places {
		if err := p.adopt(pid, l.Needed); err != nil {
			return nil, err
		}
		c.Places = append(c.Places, p)
	}
	return c, nil
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
	setMark(p.Dir)
	procs, who := filepath.Join(p.Dir, "cgroup.procs"), strconv.Itoa(pid)
	members, err := readWords(procs)
	if err != nil || slices.Contains(members, who) {
		return err
	}
	return writeFile(procs, who)
}

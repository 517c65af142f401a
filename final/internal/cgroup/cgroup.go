// Package cgroup limits, counts, freezes and ends the processes of a container by
// means of control groups, on version 1, version 2 and the hybrid of both.
//
// The first half is pure. What config.json asks for and what the machine has come
// in; the files to write come out, in order, and nothing is touched:
//
//	host, err := cgroup.ReadHost()                      // mountinfo, /proc/self/cgroup
//	limits, err := cgroup.Compile(spec.Linux.Resources, host)
//	request, err := host.Request(spec.Linux.CgroupsPath, id, limits)
//
// The second half does it. A process joins at birth, never by a parent's write to
// cgroup.procs, which waits some 10 ms for all CPUs to be outside of a fork:
//
//	group, err := cgroup.Make(host, request)            // mkdir, subtree_control
//	for _, w := range limits.Writes { group.Write(w) }
//	group.Filter(limits.Devices)                        // version 2: an eBPF program
//	birth, err := group.Birth()                         // fds for the child
//	  … version 2: SysProcAttr{UseCgroupFD: true, CgroupFD: birth.Dir()}
//	  … version 1: the child, locked to a thread, writes 0 to birth.Tasks()
//	birth.Close()
//
// Freeze, Thaw, Signal, Kill, Procs, Stats, WatchOOM, Update and Remove work on a
// Cgroup that was made now or was read back from JSON. A process that joins later is
// born in Sub or Beside; a controller that is needed later is found by Missing, and Join
// has the container join it. Own delegates to the container, and where systemd rules,
// StartScope and Adopt take the place of Make: systemd wants a process that is there
// already.
//
// What is never done: a controller is joined that nobody needs; a cgroup is
// configured that this package did not make (of a version 2 parent the list of
// controllers it hands on is the exception, for the specification demands that); a
// pid is signalled that was not checked. See cgroups(7) and the kernel's
// Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst.
package cgroup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Write is one value for one file of the container's cgroup.
//
//	echo 31457280 > …/memory.limit_in_bytes
type Write struct {
	Controller string `json:"controller"` // "cgroup" for version 2's own files, cgroup.*
	File       string `json:"file"`
	Value      string `json:"value"`
	// From names the setting in config.json, with the conversion if there was one:
	// "linux.resources.cpu.shares 1024".
	From string `json:"from,omitempty"`
	// Optional says that a kernel without the file does what was asked anyway.
	Optional bool `json:"optional,omitempty"`
	// Instead is written where the file is not there.
	Instead *Write `json:"instead,omitempty"`
	// NotBelow names a file of the cgroup: a value smaller than what that holds
	// is refused.
	NotBelow string `json:"notBelow,omitempty"`
}

// String is the write as a shell would do it, in the cgroup's directory.
func (w Write) String() string {
	return fmt.Sprintf("echo %q > %s", w.Value, w.File)
}

// Limits is what a container's resources come to on a host.
type Limits struct {
	Needed  []string `json:"needed"`  // controllers without which there are no limits
	Writes  []Write  `json:"writes"`  // in this order
	Devices []Rule   `json:"devices"` // for Filter; version 2 only
}

// Compile says what must be written for the resources of a container. Resources
// that the host cannot limit are an error that says what is missing and where it
// was looked for. It touches nothing.
func Compile(r *specs.LinuxResources, h Host) (Limits, error) {
	var l Limits
	if r == nil {
		return l, nil
	}
	for _, c := range controllers() {
		writes, err := c.compile(r, h)
		if err != nil {
			return Limits{}, err
		}
		l.add(writes)
	}
	unified, err := unifiedWrites(r.Unified, h)
	if err != nil {
		return Limits{}, err
	}
	l.add(unified)
	return l, l.limitDevices(r.Devices, h)
}

// add appends writes and notes whose files they are.
func (l *Limits) add(writes []Write) {
	for _, w := range writes {
		l.need(w.Controller)
	}
	l.Writes = append(l.Writes, writes...)
}

// need notes a controller once.
func (l *Limits) need(controller string) {
	if !slices.Contains(l.Needed, controller) {
		l.Needed = append(l.Needed, controller)
	}
}

// controller is how one part of the resources is told to a kernel.
type controller struct {
	nameV1, nameV2 string // empty if that version has none
	v1, v2         compileFunc
}

// compileFunc turns resources into writes: none if nothing is asked for.
type compileFunc func(*specs.LinuxResources) ([]Write, error)

// controllers lists what can be limited, in the order in which it is written.
func controllers() []controller {
	return []controller{
		{"memory", "memory", memoryV1, memoryV2},
		{"cpu", "cpu", cpuV1, cpuV2},
		{"cpuset", "cpuset", cpusetOf, cpusetOf},
		{"pids", "pids", pidsMax, pidsMax},
		{"blkio", "io", blkioV1, ioV2},
		{"hugetlb", "hugetlb", hugetlbV1, hugetlbV2},
		{"rdma", "rdma", rdmaOf, rdmaOf},
		{"net_cls", "", netClassV1, nil},
		{"net_prio", "", netPriorityV1, nil},
	}
}

// compile chooses the version by where the host has the controller.
func (c controller) compile(r *specs.LinuxResources, h Host) ([]Write, error) {
	switch {
	case h.Version(c.nameV1) == 1:
		return c.v1(r)
	case h.Version(c.nameV2) == 2:
		return c.v2(r)
	}
	// Whether anything is asked for only the functions know; else nothing is missing.
	name, ask := c.nameV2, c.v2
	if ask == nil {
		name, ask = c.nameV1, c.v1
	}
	writes, err := ask(r)
	if err == nil && len(writes) > 0 {
		err = h.missing(name, writes[0].From)
	}
	return nil, err
}

// setting names a setting of config.json and what it holds.
func setting(name string, value any) string {
	return strings.TrimSpace(fmt.Sprintf("linux.resources.%s %v", name, value))
}

// asked are the writes that are asked for of one controller.
type asked struct {
	controller string
	writes     []Write
}

// add adds one of them.
func (a *asked) add(name, file, value string, from any) {
	a.writes = append(a.writes, Write{
		Controller: a.controller, File: file, Value: value, From: setting(name, from),
	})
}

// set adds a number, if there is one.
func set[N int64 | uint64](a *asked, name, file string, value *N) {
	if value != nil {
		a.add(name, file, fmt.Sprint(*value), *value)
	}
}

// limit adds a number of those that clients give as 0 where they mean nothing.
func limit[N int64 | uint64](a *asked, name, file string, value *N) {
	if value != nil && *value != 0 {
		set(a, name, file, value)
	}
}

// truth adds a 1 for what is wished.
func truth(a *asked, name, file string, value *bool) {
	if value != nil && *value {
		a.add(name, file, "1", true)
	}
}

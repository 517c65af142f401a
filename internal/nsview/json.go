//go:build linux

package nsview

import (
	"slices"
	"strconv"
)

// Document is what --json prints; docs/json.md describes it.
type Document struct {
	You        ProcessDoc     `json:"you"`
	Processes  []ProcessDoc   `json:"processes"`
	Namespaces []NamespaceDoc `json:"namespaces"`
	Unreadable []DeniedDoc    `json:"unreadable"`
	Ended      int            `json:"ended"`
}

// ProcessDoc is a process in a Document.
type ProcessDoc struct {
	PID          int               `json:"pid"`
	PPID         int               `json:"ppid"`
	Name         string            `json:"name"`
	State        string            `json:"state"`
	UID          int               `json:"uid"`
	KernelThread bool              `json:"kernel_thread"`
	PIDs         []int             `json:"pids"`
	Namespaces   map[string]uint64 `json:"namespaces"`
	ForChildren  map[string]uint64 `json:"for_children,omitempty"`
	Own          []string          `json:"own"`
}

// NamespaceDoc is a namespace in a Document.
type NamespaceDoc struct {
	Type      string   `json:"type"`
	Inode     uint64   `json:"inode"`
	Yours     bool     `json:"yours"`
	Processes int      `json:"processes"`
	PID       int      `json:"pid,omitempty"`
	PIDs      []int    `json:"pids"`
	Owner     uint64   `json:"owner,omitempty"`
	Parent    uint64   `json:"parent,omitempty"`
	MadeBy    *int     `json:"made_by,omitempty"`
	HeldBy    []string `json:"held_by,omitempty"`
}

// DeniedDoc is a process that could not be read, in a Document.
type DeniedDoc struct {
	PID  int    `json:"pid"`
	UID  int    `json:"uid"`
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Document returns the survey as it is printed by --json.
func (s *Survey) Document() Document {
	d := Document{
		You: s.process(s.You), Ended: s.Ended, Processes: []ProcessDoc{},
		Namespaces: []NamespaceDoc{}, Unreadable: []DeniedDoc{},
	}
	for _, p := range s.Processes {
		d.Processes = append(d.Processes, s.process(p))
	}
	for _, n := range s.Namespaces {
		d.Namespaces = append(d.Namespaces, s.namespace(n))
	}
	for _, p := range s.Denied {
		d.Unreadable = append(d.Unreadable, DeniedDoc{p.PID, p.UID, p.Name, p.Err.Error()})
	}
	return d
}

// process describes a process.
func (s *Survey) process(p Process) ProcessDoc {
	return ProcessDoc{
		PID: p.PID, PPID: p.PPid, Name: p.Name, State: string(p.State), UID: p.UID,
		KernelThread: p.Kernel, PIDs: p.Levels, Namespaces: p.In, ForChildren: p.ForChildren,
		Own: append([]string{}, s.own(p)...),
	}
}

// own returns the kinds of which a process has another namespace than the
// caller.
func (s *Survey) own(p Process) []string {
	return slices.DeleteFunc(slices.Clone(s.Kinds), func(kind string) bool {
		return p.In[kind] == 0 || s.Yours(kind, p.In[kind])
	})
}

// namespace describes a namespace.
func (s *Survey) namespace(n Namespace) NamespaceDoc {
	d := NamespaceDoc{
		Type: n.Kind, Inode: n.Inode, Yours: s.Yours(n.Kind, n.Inode), Processes: len(n.PIDs),
		PIDs: append([]int{}, n.PIDs...), Owner: n.Owner, Parent: n.Parent, HeldBy: n.HeldBy,
	}
	if len(n.PIDs) > 0 {
		d.PID = n.PIDs[0]
	}
	if n.Maker >= 0 {
		d.MadeBy = &n.Maker
	}
	return d
}

// number writes an inode number.
func number(inode uint64) string { return strconv.FormatUint(inode, 10) }

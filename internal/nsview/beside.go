//go:build linux

package nsview

import (
	"fmt"

	"lab/internal/screen"
)

// Meaning says what a namespace of a kind divides.
var Meaning = map[string]string{
	"cgroup": "view of the cgroup tree",
	"ipc":    "System V IPC and message queues",
	"mnt":    "mounts",
	"net":    "links, addresses, routes and ports",
	"pid":    "process numbers",
	"time":   "boot and monotonic clock",
	"user":   "user ids and capabilities",
	"uts":    "host and domain name",
}

// Beside prints the namespaces of one process beside the caller's.
func (s *Survey) Beside(to screen.Screen) {
	p := s.Processes[0]
	text := fmt.Sprintf("Process %d is %s; you are process %d, %s.",
		p.PID, who(to, p), s.You.PID, to.Clean(s.You.Name))
	to.Paragraph(text)
	fmt.Fprintln(to)
	t := screen.Table{Screen: to, Flex: 4}
	t.Add("", to.Bold("yours"), to.Bold(fmt.Sprintf("of %d", p.PID)), "", "")
	for _, kind := range s.Kinds {
		t.Add(s.besideRow(to, kind, p.In[kind])...)
		if inode := p.ForChildren[kind]; inode != 0 {
			cells := s.besideRow(to, kind, inode)
			t.Add("  for children", cells[1], cells[2], cells[3], cells[4]+" for each new child")
		}
	}
	t.Print()
	fmt.Fprintln(to)
	fmt.Fprintln(to, s.verdict(p))
	if len(p.Levels) > 1 {
		fmt.Fprintf(to, "Inside its PID namespace it is process %d.\n", p.Levels[len(p.Levels)-1])
	}
	s.ownership(to, p)
}

// who describes a process in a few words.
func who(to screen.Screen, p Process) string {
	text := fmt.Sprintf("%s of uid %d", to.Clean(p.Called()), p.UID)
	switch {
	case p.Kernel:
		text += ", a thread of the kernel"
	case p.State == 'Z':
		text += ", a zombie"
	}
	return text
}

// besideRow compares one namespace.
func (s *Survey) besideRow(to screen.Screen, kind string, inode uint64) []string {
	yours := s.You.In[kind]
	switch inode {
	case 0:
		return []string{kind, number(yours), "none", "", ""}
	case yours:
		return []string{kind, number(yours), number(inode), "same", Meaning[kind]}
	}
	return []string{kind, number(yours), number(inode), to.Own("own"), "its own " + Meaning[kind]}
}

// verdict sums it up.
func (s *Survey) verdict(p Process) string {
	switch own := len(s.own(p)); {
	case p.PID == s.You.PID:
		return "It is you."
	case p.State == 'Z':
		return "It has ended and given up the others; it waits for its parent to ask how."
	case own == 0:
		return "All are yours: it is in no container, or you are in the same one."
	default:
		return fmt.Sprintf("%d of %d are its own.", own, len(s.Kinds))
	}
}

// ownership says whose capabilities count in its namespaces, where that is
// another user namespace than the caller's.
func (s *Survey) ownership(to screen.Screen, p Process) {
	var foreign []string
	for _, kind := range s.own(p) {
		for _, n := range s.of(kind) {
			if kind != "user" && n.Inode == p.In[kind] && n.Owner == p.In["user"] &&
				!s.Yours("user", n.Owner) {
				foreign = append(foreign, kind)
			}
		}
	}
	if len(foreign) > 0 {
		text := fmt.Sprintf("Its user namespace owns its %s: root of it is root there.",
			sequence(foreign))
		to.Paragraph(text)
	}
}

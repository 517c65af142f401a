//go:build linux

package nsview

import (
	"fmt"
	"strconv"
	"strings"

	"lab/internal/inspect"
	"lab/internal/screen"
)

// Tree prints the namespaces that nest, user and pid, each below the one it was
// made in.
func (s *Survey) Tree(to screen.Screen) {
	for i, kind := range []string{"user", "pid"} {
		if i > 0 {
			fmt.Fprintln(to)
		}
		fmt.Fprintln(to, to.Bold(kind+" namespaces"))
		t := &tree{Survey: s, to: to, kind: kind, children: map[uint64][]Namespace{}}
		known := s.index()
		for _, n := range s.of(kind) {
			if _, above := known[key{kind, n.Parent}]; !above {
				n.Parent = 0
			}
			t.children[n.Parent] = append(t.children[n.Parent], n)
		}
		t.below(0, "", 0)
	}
	fmt.Fprintln(to)
	s.remarks(to)
}

// tree prints the namespaces of one kind.
type tree struct {
	*Survey

	to       screen.Screen
	kind     string
	children map[uint64][]Namespace
}

// below prints the namespaces inside one; those inside 0 are the roots.
func (t *tree) below(inode uint64, prefix string, depth int) {
	list := t.children[inode]
	for i, n := range list {
		branch, trunk := t.branches(i == len(list)-1)
		if depth == 0 {
			branch, trunk = "", ""
		}
		inner := prefix + trunk
		within := inner + "   "
		if len(t.children[n.Inode]) > 0 {
			within = inner + t.to.Sign("│  ", "|  ")
		}
		t.lines(prefix+branch, within, t.title(n))
		t.processes(n, within)
		t.below(n.Inode, inner, depth+1)
	}
}

// branches returns the lines that lead to a node and past it.
func (t *tree) branches(last bool) (branch, trunk string) {
	if last {
		return t.to.Sign("└─ ", "`- "), "   "
	}
	return t.to.Sign("├─ ", "|- "), t.to.Sign("│  ", "|  ")
}

// line prints a line that fits.
func (t *tree) line(prefix, text string) {
	fmt.Fprintln(t.to, prefix+t.to.Cut(text, t.to.Width-screen.Width(prefix)))
}

// lines prints a text in as many lines as it takes: the first goes on after one
// prefix, the others after another one.
func (t *tree) lines(first, others, text string) {
	for i, line := range screen.Wrap(text, t.to.Width-screen.Width(others)-2) {
		if i == 0 {
			fmt.Fprintln(t.to, first+line)
		} else {
			fmt.Fprintln(t.to, others+"  "+line)
		}
	}
}

// title describes a namespace.
func (t *tree) title(n Namespace) string {
	words := []string{number(n.Inode)}
	if t.Yours(n.Kind, n.Inode) {
		words[0] += " (yours)"
	}
	if n.Kind == "user" && n.Parent != 0 {
		words = append(words, t.user(n)...)
	}
	if len(n.PIDs) == 0 {
		words = append(words, n.without())
	}
	return strings.Join(words, ", ")
}

// user tells who made a user namespace, how its ids are mapped, and what
// belongs to it.
func (t *tree) user(n Namespace) []string {
	var words []string
	if n.Maker >= 0 {
		words = append(words, fmt.Sprintf("made by uid %d", n.Maker))
	}
	if len(n.PIDs) > 0 {
		if maps, err := inspect.IDMap(n.PIDs[0], "uid"); err == nil {
			words = append(words, t.mapped(maps))
		}
	}
	var owns []string
	for _, other := range t.Namespaces {
		if other.Kind != "user" && other.Owner == n.Inode {
			owns = append(owns, other.Kind)
		}
	}
	if len(owns) > 0 {
		words = append(words, "owns "+strings.Join(owns, " "))
	}
	return words
}

// mapped tells a uid map in short: its first line.
func (t *tree) mapped(maps []inspect.Mapping) string {
	if len(maps) == 0 {
		return "no uid is mapped"
	}
	m := maps[0]
	text := fmt.Sprintf("uid %d is %d here", m.Inside, m.Outside)
	if m.Size > 1 || len(maps) > 1 {
		text += ", and more"
	}
	return text
}

// processes prints who is in a namespace: in the caller's own only how many.
func (t *tree) processes(n Namespace, prefix string) {
	if t.Yours(n.Kind, n.Inode) {
		t.line(prefix, plural(len(n.PIDs), "process", "processes"))
		return
	}
	const most = 12
	known := t.byPID()
	for i, pid := range n.PIDs {
		if i == most {
			rest := plural(len(n.PIDs)-most, "process", "processes")
			t.line(prefix, rest+" more: --json has them all")
			return
		}
		p := known[pid]
		text := t.to.Clean(p.Called())
		if t.kind == "pid" {
			text += t.levels(p)
		} else {
			text = strconv.Itoa(pid) + " " + text
		}
		t.line(prefix, text)
	}
}

// levels tells a process's pid on each level, the caller's first.
func (t *tree) levels(p Process) string {
	var words []string
	for i, pid := range p.Levels {
		if i == 0 {
			words = append(words, fmt.Sprintf("pid %d here", pid))
		} else {
			words = append(words, strconv.Itoa(pid))
		}
	}
	return ": " + strings.Join(words, t.to.Sign(" › ", " > "))
}

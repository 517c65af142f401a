//go:build linux

package nsview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lab/internal/screen"
)

// row is one line of the matrix: processes that are in the same namespaces.
type row struct {
	processes []Process
	in        map[string]uint64
	letter    string // of the namespaces that are first met here; "" if there are none
	number    int
}

// Matrix prints a line for each set of namespaces: where it has the caller's a
// dot, elsewhere a letter. A letter belongs to the first line that has it, so
// that a container reads as a line of one letter, and another letter in it is a
// namespace shared with that other line.
func (s *Survey) Matrix(to screen.Screen, last int) {
	rows := s.fold()
	names := s.letters(rows)
	t := screen.Table{Screen: to, Flex: 2}
	head := []string{"", to.Bold("pid"), to.Bold("process")}
	for _, kind := range s.Kinds {
		head = append(head, to.Bold(kind))
	}
	t.Add(head...)
	for _, r := range rows {
		cells := []string{r.letter, r.pids(), r.who(to)}
		if slices.ContainsFunc(r.processes, func(p Process) bool { return p.PID == last }) {
			cells[2] += " (last)"
		}
		for _, kind := range s.Kinds {
			cells = append(cells, s.cell(to, names, key{kind, r.in[kind]}))
		}
		t.Add(cells...)
	}
	t.Print()
	fmt.Fprintln(to)
	s.legend(to, rows)
	s.remarks(to)
}

// fold puts processes with the same namespaces into one row; those with the
// caller's come first.
func (s *Survey) fold() []row {
	var rows []row
	index := map[string]int{}
	for _, p := range s.Processes {
		id := fmt.Sprint(p.In)
		i, known := index[id]
		if !known {
			i = len(rows)
			index[id] = i
			rows = append(rows, row{in: p.In})
		}
		rows[i].processes = append(rows[i].processes, p)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return s.rank(a) - s.rank(b) })
	return rows
}

// rank puts the caller's row first and zombies, which have few namespaces, last.
func (s *Survey) rank(r row) int {
	switch {
	case len(r.in) < len(s.Kinds):
		return 2
	case len(s.own(r.processes[0])) == 0:
		return 0
	}
	return 1
}

// letters names the namespaces that are not the caller's.
func (s *Survey) letters(rows []row) map[key]int {
	names := map[key]int{}
	count := 0
	for i := range rows {
		r := &rows[i]
		isNew := false
		for _, kind := range s.Kinds {
			k := key{kind, r.in[kind]}
			if _, known := names[k]; !known && k.inode != 0 && !s.Yours(kind, k.inode) {
				names[k] = count
				isNew = true
			}
		}
		if isNew {
			r.letter, r.number = letter(count), count
			count++
		}
	}
	return names
}

// letter returns the n-th name of A … Z, AA, AB ….
func letter(n int) string {
	if n < 26 {
		return string(rune('A' + n))
	}
	return letter(n/26-1) + string(rune('A'+n%26))
}

// cell returns the sign of one namespace.
func (s *Survey) cell(to screen.Screen, names map[key]int, k key) string {
	switch {
	case k.inode == 0:
		return to.Sign("–", "-")
	case s.Yours(k.kind, k.inode):
		return to.Faint(to.Sign("·", "."))
	}
	return to.Tint(names[k], letter(names[k]))
}

// pids names the row's processes by number: all if they are few.
func (r row) pids() string {
	const most = 3
	var words []string
	for _, p := range r.processes {
		words = append(words, strconv.Itoa(p.PID))
	}
	if len(words) > most {
		words = append(words[:1], fmt.Sprintf("+%d", len(r.processes)-1))
	}
	return strings.Join(words, " ")
}

// who names the row's processes by name, each once.
func (r row) who(to screen.Screen) string {
	var names []string
	count := map[string]int{}
	kernel := 0
	for _, p := range r.processes {
		if p.Kernel && len(r.processes) > 1 {
			kernel++
			continue
		}
		name := to.Clean(p.Name)
		if p.State == 'Z' {
			name += " (zombie)"
		}
		if count[name]++; count[name] == 1 {
			names = append(names, name)
		}
	}
	for i, name := range names {
		if count[name] > 1 {
			names[i] = fmt.Sprintf("%s %s%d", name, to.Sign("×", "x"), count[name])
		}
	}
	if kernel > 0 {
		names = append([]string{fmt.Sprintf("%d kernel threads", kernel)}, names...)
	}
	return strings.Join(names, ", ")
}

// legend tells the inode numbers behind the signs.
func (s *Survey) legend(to screen.Screen, rows []row) {
	t := screen.Table{Screen: to, Flex: 1, Wrap: true}
	var yours []string
	for _, kind := range s.Kinds {
		yours = append(yours, kind+":"+number(s.You.In[kind]))
	}
	t.Add(to.Sign("·", "."), "yours: "+strings.Join(yours, " "))
	seen := map[key]bool{}
	for _, r := range rows {
		var first []string
		for _, kind := range s.Kinds {
			k := key{kind, r.in[kind]}
			if k.inode != 0 && !s.Yours(kind, k.inode) && !seen[k] {
				seen[k] = true
				first = append(first, kind+":"+number(k.inode))
			}
		}
		if r.letter != "" {
			t.Add(to.Tint(r.number, r.letter), strings.Join(first, " "))
		}
	}
	t.Print()
}

//go:build linux

package nsview

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lab/internal/screen"
)

// row is one line of the matrix: processes that are in the same namespaces.
type row struct {
	processes []Process
	in        map[string]uint64
	letter    int // of the namespaces that are first met here; -1 if there are none
}

// Letters are the names that namespaces other than the caller's have in a matrix:
// numbers from 0 for A. Who draws several keeps them, so that a namespace has the
// same letter in all.
type Letters struct {
	of   map[key]int
	next int
}

// NewLetters returns letters of which none is given yet.
func NewLetters() *Letters { return &Letters{of: map[key]int{}} }

// Matrix prints a line for each set of namespaces: where it has the caller's a
// dot, elsewhere a letter. A letter belongs to the first line that has it, so
// that a container reads as a line of one letter, and another letter in it is a
// namespace shared with that other line.
func (s *Survey) Matrix(to screen.Screen, names *Letters, last int) {
	rows := s.fold()
	for i := range rows {
		s.name(&rows[i], names, rows[:i])
	}
	t := screen.Table{Screen: to, Flex: 2}
	t.Add("", to.Bold("pid"), to.Bold("process"), to.Bold(strings.Join(s.Kinds, " ")))
	for _, r := range rows {
		who := r.who(to)
		if slices.ContainsFunc(r.processes, func(p Process) bool { return p.PID == last }) {
			who = "last: " + who
		}
		// A single space between the kinds leaves more room for names.
		var signs []string
		for _, kind := range s.Kinds {
			sign := s.cell(to, names.of, key{kind, r.in[kind]})
			fill := strings.Repeat(" ", max(0, len(kind)-screen.Width(sign)))
			signs = append(signs, sign+fill)
		}
		t.Add(r.sign(), r.pids(), who, strings.Join(signs, " "))
	}
	t.Print()
	fmt.Fprintln(to)
	s.legend(to, names.of)
	s.remarks(to)
	if len(rows) == 1 && len(s.Processes) > 1 && len(s.Denied) == 0 {
		fmt.Fprintln(to, "All are in your namespaces: there is no container among them.")
	}
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
			rows = append(rows, row{in: p.In, letter: -1})
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

// name gives the namespaces of a row that have no letter yet one in common. A row
// is called by its new letter, or by one that no row above it has.
func (s *Survey) name(r *row, names *Letters, above []row) {
	isNew := false
	for _, k := range s.foreign(r.in) {
		if _, known := names.of[k]; !known {
			names.of[k] = names.next
			isNew = true
		}
	}
	if isNew {
		r.letter = names.next
		names.next++
		return
	}
	for _, k := range s.foreign(r.in) {
		letter := names.of[k]
		shown := slices.ContainsFunc(above, func(other row) bool { return other.letter == letter })
		if !shown && !slices.ContainsFunc(above, func(other row) bool {
			return other.in[k.kind] == k.inode
		}) {
			r.letter = letter
			return
		}
	}
}

// foreign returns the namespaces of a row that are not the caller's.
func (s *Survey) foreign(in map[string]uint64) []key {
	var list []key
	for _, kind := range s.Kinds {
		if inode := in[kind]; inode != 0 && !s.Yours(kind, inode) {
			list = append(list, key{kind, inode})
		}
	}
	return list
}

// sign is what a row is called.
func (r row) sign() string {
	if r.letter < 0 {
		return ""
	}
	return letter(r.letter)
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
		name := to.Clean(p.Called())
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
func (s *Survey) legend(to screen.Screen, names map[key]int) {
	t := screen.Table{Screen: to, Flex: 1, Wrap: true}
	var yours []string
	for _, kind := range s.Kinds {
		yours = append(yours, kind+":"+number(s.You.In[kind]))
	}
	t.Add(to.Sign("·", "."), "yours: "+strings.Join(yours, " "))
	behind := map[int][]string{}
	seen := map[key]bool{}
	for _, p := range s.Processes {
		for _, k := range s.foreign(p.In) {
			if !seen[k] {
				seen[k] = true
				behind[names[k]] = append(behind[names[k]], k.kind+":"+number(k.inode))
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(behind)) {
		t.Add(to.Tint(n, letter(n)), strings.Join(behind[n], " "))
	}
	t.Print()
}

//go:build linux

package nsview

import (
	"fmt"
	"strconv"
	"strings"

	"lab/internal/inspect"
	"lab/internal/screen"
)

// List prints every namespace with the number of processes in it and the one
// with the lowest pid, as lsns(8) does.
func (s *Survey) List(to screen.Screen) {
	t := screen.Table{Screen: to, Flex: 6, Right: map[int]bool{3: true, 4: true}}
	t.Add("", to.Bold("type"), to.Bold("namespace"), to.Bold("processes"), to.Bold("pid"),
		to.Bold("uid"), to.Bold("process"))
	processes := s.byPID()
	for _, n := range s.Namespaces {
		cells := []string{" ", n.Kind, number(n.Inode), strconv.Itoa(len(n.PIDs)), "", "", ""}
		if s.Yours(n.Kind, n.Inode) {
			cells[0] = to.Sign("·", ".")
		}
		if len(n.PIDs) > 0 {
			p := processes[n.PIDs[0]]
			cells[4], cells[5] = strconv.Itoa(p.PID), strconv.Itoa(p.UID)
			cells[6] = to.Clean(command(p))
		} else {
			cells[6] = to.Clean(n.without())
		}
		t.Add(cells...)
	}
	t.Print()
	fmt.Fprintf(to, "\n%s is yours.\n", to.Sign("·", "."))
	s.remarks(to)
}

// byPID finds processes.
func (s *Survey) byPID() map[int]Process {
	index := map[int]Process{}
	for _, p := range s.Processes {
		index[p.PID] = p
	}
	return index
}

// command returns a process's command line, or its name where it has none.
func command(p Process) string {
	args, err := inspect.Cmdline(p.PID)
	if err != nil || len(args) == 0 {
		if p.Kernel {
			return "[" + p.Name + "], kernel thread"
		}
		return p.Name
	}
	return strings.Join(args, " ")
}

// without says why a namespace exists in which there is no process.
func (n Namespace) without() string {
	if len(n.HeldBy) > 0 {
		return "held by " + strings.Join(n.HeldBy, ", ")
	}
	return "held by the namespaces inside it"
}

// remarks tells what the picture leaves out, and why.
func (s *Survey) remarks(to screen.Screen) {
	text := plural(len(s.Processes), "process was", "processes were") + " read"
	if kernel := s.kernelThreads(); kernel > 0 {
		text += ", among them " + plural(kernel, "kernel thread", "kernel threads")
	}
	text += "."
	if s.Ended > 0 {
		text += " " + plural(s.Ended, "process", "processes") + " ended meanwhile."
	}
	if len(s.Denied) > 0 {
		text += " " + s.denied()
	}
	to.Paragraph(text)
}

// denied says what could not be read. Links in /proc/PID/ns are for those who
// might trace the process, see ptrace(2): its user, unless it has capabilities
// that the reader lacks.
func (s *Survey) denied() string {
	var pids, users []string
	for _, d := range s.Denied {
		pids = append(pids, strconv.Itoa(d.PID))
	}
	for _, uid := range s.deniedUsers() {
		users = append(users, strconv.Itoa(uid))
	}
	if len(users) == 1 && users[0] == strconv.Itoa(s.You.UID) {
		return fmt.Sprintf("Permission denied for %s %s: with capabilities that you lack.",
			plain(len(pids), "process", "processes"), sequence(pids))
	}
	return fmt.Sprintf("Permission denied for %s of uid %s: root may read them.",
		plural(len(pids), "process", "processes"), sequence(users))
}

// plain returns the right word for a count.
func plain(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// plural puts a count before the right word.
func plural(n int, one, many string) string {
	return fmt.Sprintf("%d %s", n, plain(n, one, many))
}

// sequence joins words as a sentence does; of very many it names the first.
func sequence(words []string) string {
	const most = 8
	if len(words) > most {
		words = append(words[:most:most], fmt.Sprintf("%d more", len(words)-most))
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

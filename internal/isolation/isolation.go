//go:build linux

// Package isolation tells on one page what a process shares with the caller and
// what is isolated: namespaces, cgroups and their limits, mounts, root, user ids,
// capabilities, filters, limits. Each line names the file that it was read from.
// See namespaces(7), cgroups(7), capabilities(7), seccomp(2), getrlimit(2).
package isolation

import (
	"errors"
	"fmt"
	"io/fs"

	"lab/internal/inspect"
)

// Verdict says whose something is.
type Verdict string

// The verdicts.
const (
	Shared   Verdict = "shared"   // as the caller's
	Isolated Verdict = "isolated" // its own, or restricted
	Unknown  Verdict = "unknown"  // could not be read
)

// Line is one line of the page.
type Line struct {
	Section string  `json:"section"`
	Item    string  `json:"item"`
	Verdict Verdict `json:"verdict"`
	Value   string  `json:"value"`
	Meaning string  `json:"meaning"`
	File    string  `json:"file"` // absolute
}

// Page is all that is told of one process.
type Page struct {
	Process inspect.Process
	Command []string
	Levels  []int // its pids, the reader's first
	Lines   []Line
}

// Of reads a process. What cannot be read is a line that says why; only a
// process that is not there, or not until the end of the page, is an error.
func Of(pid int) (*Page, error) {
	for {
		page, err := read(pid)
		if err != nil {
			return nil, inspect.Meanwhile(pid, err)
		}
		now, err := inspect.ReadProcess(pid)
		if err != nil {
			return nil, inspect.Meanwhile(pid, err)
		}
		if now.Start != page.Process.Start || now.State == 'X' {
			return nil, inspect.ErrEnded // its number may be another one's by now
		}
		if now.State != 'Z' || page.Process.State == 'Z' {
			return page, nil
		}
	}
}

// read reads a process that may end meanwhile.
func read(pid int) (*Page, error) {
	who, err := inspect.ReadProcess(pid)
	if err != nil {
		return nil, err
	}
	self, err := inspect.Self()
	if err != nil {
		return nil, err
	}
	r := &reader{pid: pid, you: self, page: &Page{Process: who}}
	r.page.Command, _ = inspect.Cmdline(pid) // its name is known already
	if err := r.readStatus(); err != nil {
		return nil, err
	}
	r.namespaces()
	r.cgroups()
	r.files()
	r.users()
	r.capabilities()
	r.confinement()
	r.limits()
	return r.page, nil
}

// reader fills a page.
type reader struct {
	pid, you int
	page     *Page
	section  string

	status, yours inspect.Status
	ownUser       bool // its user namespace is not the caller's
}

// readStatus reads what several sections need.
func (r *reader) readStatus() (err error) {
	if r.status, err = inspect.ReadStatus(r.pid); err != nil {
		return err
	}
	r.page.Levels = r.status.NSpid
	r.yours, err = inspect.ReadStatus(r.you)
	return err
}

// proc names a file of the process.
func (r *reader) proc(name string) string { return fmt.Sprintf("/proc/%d/%s", r.pid, name) }

// add adds a line to the section.
func (r *reader) add(item string, isolated bool, value, meaning, file string) {
	verdict := Shared
	if isolated {
		verdict = Isolated
	}
	r.page.Lines = append(r.page.Lines, Line{r.section, item, verdict, value, meaning, file})
}

// unknown adds a line about something that could not be read.
func (r *reader) unknown(item, file string, err error) {
	why := err.Error()
	switch {
	case errors.Is(err, fs.ErrPermission):
		why = "permission denied"
	case errors.Is(err, inspect.ErrNoMounts),
		errors.Is(err, fs.ErrNotExist) && r.page.Process.State == 'Z':
		why = "given up: it has ended"
	case errors.Is(err, fs.ErrNotExist):
		why = "not there: this kernel has none, or the process has ended"
	}
	r.page.Lines = append(r.page.Lines, Line{r.section, item, Unknown, "", why, file})
}

// Package progress remembers what a learner did: which steps were run and which
// passed their checks, what was last found wrong with the others, and how many
// hints were read. It is a plain text file, which a person may read and edit, in
// $XDG_STATE_HOME/lab/progress or ~/.local/state/lab/progress:
//
//	# What you did in the container lab. You may edit this file.
//	version 1
//	id 5e0c19d2
//	01-uts ran passed
//	02-pid ran failed hint-1
//	    check: orphans are reaped
//	    mistake: zombie-left
//	    diagnosis: PID 1 waits for its own child only.
//	    kernel: /proc/4711/stat says Z
//	end
//
// Lines that it does not know are kept. A file that it cannot trust, because a
// newer lab wrote it or because it was cut, is renamed and never thrown away.
//
// Under sudo(8) it is the file of the one who called, and belongs to them. Two
// labs at once lose nothing: changes are made to what the file says at that
// moment, under flock(2), and the new file takes the old one's place by
// rename(2).
package progress

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"lab/internal/course"
	"lab/internal/invoker"
)

// Failure is what a check found wrong with the learner's program.
type Failure struct {
	Check     string // the sentence that does not hold
	Mistake   string // the short id of a named mistake, "" if it has none
	Diagnosis string // which mistake that is, in words
	Kernel    string // what the kernel says
}

// tooLarge is more than any progress takes: such a file is something else.
const tooLarge = 1 << 20

// File is the progress as it was when it was opened, and what was changed since.
type File struct {
	path    string
	who     invoker.Invoker
	state   *state
	changes []func(*state)
	notice  string
}

// Open reads the progress of whoever called. That there is none yet is no error.
func Open() (*File, error) {
	who, err := invoker.Current()
	if err != nil {
		return nil, err
	}
	f := &File{path: filepath.Join(who.StateDir(), "progress"), who: who}
	var damage string
	if f.state, damage, err = read(f.path); err != nil {
		return nil, err
	}
	if damage != "" {
		err = f.setAside()
	}
	return f, err
}

// Path returns where the file is.
func (f *File) Path() string { return f.path }

// ID tells this file from any other, "" before the first Save.
func (f *File) ID() string { return f.state.id }

// Notice says in one line that the file was not as it should be and where it is
// kept; it is empty otherwise.
func (f *File) Notice() string { return f.notice }

// Ran reports whether a step's program was run.
func (f *File) Ran(step string) bool { return f.state.of(step).ran }

// Passed reports whether a step's checks passed when they last ran.
func (f *File) Passed(step string) bool { return f.state.of(step).passed }

// LastFailure returns what was last found wrong with a step, if it did not pass
// since.
func (f *File) LastFailure(step string) (Failure, bool) {
	r := f.state.of(step)
	return r.failure, r.failed
}

// Hints returns how many hints to a step were read since it last passed or began
// to fail in another way.
func (f *File) Hints(step string) int { return f.state.of(step).hints }

// Next returns the first step that has not passed, and false when all have.
func (f *File) Next() (course.Step, bool) {
	for _, s := range course.Steps() {
		if !f.Passed(s.ID) {
			return s, true
		}
	}
	return course.Step{}, false
}

// Current returns the step that is being worked on: the first that failed its
// checks, else the first that has not passed them, and false when all have.
func (f *File) Current() (course.Step, bool) {
	for _, s := range course.Steps() {
		if _, failed := f.LastFailure(s.ID); failed {
			return s, true
		}
	}
	return f.Next()
}

// Run notes that a step's program was run.
func (f *File) Run(step string) {
	f.change(func(s *state) { s.edit(step).ran = true })
}

// Pass notes that all checks of a step passed: what was wrong is forgotten, and
// so are the hints.
func (f *File) Pass(step string) {
	f.change(func(s *state) {
		r := s.edit(step)
		r.passed, r.failed, r.failure, r.hints = true, false, Failure{}, 0
	})
}

// Fail notes what a check found wrong with a step. A step that had passed is
// pending again. Hints begin anew when it is another mistake.
func (f *File) Fail(step string, failure Failure) {
	f.change(func(s *state) {
		r := s.edit(step)
		if !sameMistake(r.failure, failure) {
			r.hints = 0
		}
		r.passed, r.failed, r.failure = false, true, failure
	})
}

// sameMistake reports whether two failures want the same hints.
func sameMistake(a, b Failure) bool {
	if a.Mistake != "" || b.Mistake != "" {
		return a.Mistake == b.Mistake
	}
	return a.Check == b.Check
}

// SetHints notes how many hints to a step were read.
func (f *File) SetHints(step string, read int) {
	f.change(func(s *state) { s.edit(step).hints = read })
}

// Forget drops what is known of a step, as when it begins anew.
func (f *File) Forget(step string) {
	f.change(func(s *state) { delete(s.records, step) })
}

// change applies a change at once and remembers it for Save.
func (f *File) change(do func(*state)) {
	do(f.state)
	f.changes = append(f.changes, do)
}

// Save writes what was changed. The changes are applied to what the file says
// now, not to what it said when it was opened: another lab may have written it.
func (f *File) Save() error {
	if len(f.changes) == 0 {
		return nil
	}
	unlock, err := f.lock()
	if err != nil {
		return fmt.Errorf("note the progress: %w", err)
	}
	err = errors.Join(f.save(), unlock())
	if err != nil {
		return fmt.Errorf("note the progress: %w", err)
	}
	return nil
}

// save applies the changes and writes the file; the lock is held.
func (f *File) save() error {
	now, damage, err := read(f.path)
	if err != nil {
		return err
	}
	if damage != "" {
		// It was damaged after Open: what stands in it is set aside as there.
		if err := f.rename(damage); err != nil {
			return err
		}
	}
	for _, do := range f.changes {
		do(now)
	}
	if now.id == "" {
		now.id = newID()
	}
	if err := f.replace(now.text()); err != nil {
		return err
	}
	f.state, f.changes = now, nil
	return nil
}

// read returns what a file says, and in words what is wrong with it if it cannot
// be trusted.
func read(path string) (now *state, damage string, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newState(), "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the progress: %w", err)
	}
	// Anything else, such as a pipe or a link, is not ours to read or replace.
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("read the progress: %s is no ordinary file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("read the progress: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, tooLarge))
	if err != nil {
		return nil, "", fmt.Errorf("read the progress: %w", err)
	}
	if len(text) == tooLarge {
		return newState(), "is larger than any progress", nil
	}
	now, damage = parse(string(text))
	return now, damage, nil
}

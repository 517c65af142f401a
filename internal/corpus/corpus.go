//go:build linux

// Package corpus knows programs of which it is known beforehand what the checks
// have to say of them, and proves that they say it:
//
//	skeletons what a learner begins with; package workspace makes it
//	mistakes  diffs of the reference programs, each with one root cause; the
//	          first check that fails has to name it
//	variants  diffs that make a different program which is as right
//	cheats    programs that print the right text, or let others do the work
//
// The last three lie in internal/check/testdata/KIND/STEP/NAME.diff, or NAME.go or NAME.sh
// for a whole program. Comments at the beginning say what there is to know:
//
//	# sethostname(2) runs in the parent
//	# diagnosis: hostname-set-outside
//	# needs: cgroup v1
package corpus

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/course"
)

// The kinds of programs, each the name of a directory.
const (
	Mistakes = "mistakes"
	Variants = "variants"
	Cheats   = "cheats"

	exercises = "exercises" // of the lessons, done
)

// Entry is one program.
type Entry struct {
	Kind  string
	Step  string
	Name  string
	About string // what is special about it, in a phrase
	// Diagnosis is the name of the mistake that the checks have to find; empty
	// for a variant, in which they find none.
	Diagnosis string
	Needs     []string // "real root", "cgroup v1": without it the checks see nothing
	Toured    bool     // lab tour has to notice it, too
	Path      string   // of the diff or the program
}

// ID names an entry on a command line: mistakes/01-uts/no-clone-newuts.
func (e Entry) ID() string { return e.Kind + "/" + e.Step + "/" + e.Name }

// Load reads all entries of a checkout, in order.
func Load(checkout string) ([]Entry, error) { return load(checkout, Mistakes, Variants, Cheats) }

// LoadExercises reads what solves the exercises of the lessons.
func LoadExercises(checkout string) ([]Entry, error) { return load(checkout, exercises) }

// load reads the entries of some kinds.
func load(checkout string, kinds ...string) ([]Entry, error) {
	var all []Entry
	for _, kind := range kinds {
		for _, step := range course.Steps() {
			dir := filepath.Join(checkout, "internal", "check", "testdata", kind, step.ID)
			files, err := filepath.Glob(filepath.Join(dir, "*.*"))
			if err != nil {
				return nil, err
			}
			for _, path := range files {
				e, err := read(kind, step.ID, path)
				if err != nil {
					return nil, err
				}
				all = append(all, e)
			}
		}
	}
	return all, nil
}

// read reads what the comments of a file say.
func read(kind, step, path string) (Entry, error) {
	name := filepath.Base(path)
	name = strings.TrimSuffix(name, filepath.Ext(name))
	e := Entry{Kind: kind, Step: step, Name: name, Path: path}
	text, err := os.ReadFile(path)
	if err != nil {
		return e, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimPrefix(lines.Text(), "//")
		line = strings.TrimPrefix(line, "#")
		if line == lines.Text() {
			break // the comments are over
		}
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); {
		case strings.HasPrefix(key, "!"): // the interpreter of a script
		case key == "diagnosis":
			e.Diagnosis = value
		case key == "needs":
			e.Needs = append(e.Needs, value)
		case key == "toured":
			e.Toured = true
		case e.About == "":
			e.About = strings.TrimSpace(line)
		}
	}
	right := kind == Variants || kind == exercises
	if e.About == "" || (e.Diagnosis == "") != right {
		return e, fmt.Errorf("%s: it has to begin with what is special about it%s", path,
			" and, unless it is right, with a line \"diagnosis: NAME\"")
	}
	return e, nil
}

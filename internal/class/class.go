// Package class puts the progress of many learners together: a directory of files,
// each of which `lab progress --json` has printed, becomes one table. A file that
// is damaged, or the second one of the same learner, is said and not fatal: with
// twenty people there always is one.
package class

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/internal/progress"
)

// tooLarge is more than any report takes.
const tooLarge = 1 << 20

// Errors of a directory.
var (
	ErrNone   = errors.New("no file there is a report of lab progress --json")
	errReport = errors.New("it is no report of lab progress --json")
)

// Learner is one person's progress.
type Learner struct {
	Name   string          `json:"name"` // of the file, without .json
	Report progress.Report `json:"report"`
}

// Class is a directory of reports.
type Class struct {
	Learners []Learner `json:"learners"`
	LeftOut  []string  `json:"left_out"` // files that do not count, each with the reason
}

// Read reads every .json file of a directory, in the order of their names.
func Read(dir string) (*Class, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the class: %w", err)
	}
	c := &Class{Learners: []Learner{}, LeftOut: []string{}}
	for _, e := range entries {
		name, isReport := strings.CutSuffix(e.Name(), ".json")
		if !isReport || strings.HasPrefix(name, ".") {
			continue
		}
		report, err := readReport(filepath.Join(dir, e.Name()))
		if err != nil {
			c.leaveOut("%s: %v", e.Name(), err)
			continue
		}
		c.add(Learner{name, report})
	}
	if len(c.Learners) == 0 {
		return c, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	return c, nil
}

// leaveOut notes a file that does not count.
func (c *Class) leaveOut(format string, args ...any) {
	c.LeftOut = append(c.LeftOut, fmt.Sprintf(format, args...))
}

// add adds a learner. Of two reports on one state file the better one counts: it
// is the later, for what has passed is seldom lost.
func (c *Class) add(l Learner) {
	same := slices.IndexFunc(c.Learners, func(other Learner) bool {
		return l.Report.ID != "" && other.Report.ID == l.Report.ID
	})
	if same < 0 {
		c.Learners = append(c.Learners, l)
		return
	}
	out := c.Learners[same]
	if out.Report.Passed < l.Report.Passed {
		c.Learners[same] = l
	} else {
		out, l = l, out
	}
	c.leaveOut("%s.json: the same learner as %s.json, of whom %d steps passed", out.Name, l.Name,
		l.Report.Passed)
}

// readReport reads one file.
func readReport(path string) (progress.Report, error) {
	var r progress.Report
	info, err := os.Stat(path)
	if err != nil {
		return r, reason(err)
	}
	if !info.Mode().IsRegular() || info.Size() > tooLarge {
		return r, errReport
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return r, reason(err)
	}
	// Windows' shells write a mark before what they redirect into a file.
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("it is damaged: %w", err)
	}
	if r.Kind != progress.Kind {
		return r, errReport
	}
	r.Passed = 0
	for _, s := range r.Steps {
		if s.Passed {
			r.Passed++
		}
	}
	return r, nil
}

// reason is what the kernel said about a file that is named anyway.
func reason(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Err
	}
	return err
}

// Step returns what is known of a learner's step.
func (l Learner) Step(id string) progress.StepReport {
	for _, s := range l.Report.Steps {
		if s.ID == id {
			return s
		}
	}
	return progress.StepReport{ID: id}
}

// Trouble is a check that some learners do not get past.
type Trouble struct {
	Step  string
	Check string
	Names []string
}

// Troubles returns what the class is stuck at, the most frequent first.
func (c *Class) Troubles() []Trouble {
	var all []Trouble
	for _, l := range c.Learners {
		for _, s := range l.Report.Steps {
			if !s.Failed {
				continue
			}
			i := slices.IndexFunc(all, func(t Trouble) bool {
				return t.Step == s.ID && t.Check == s.Check
			})
			if i < 0 {
				i = len(all)
				all = append(all, Trouble{Step: s.ID, Check: s.Check})
			}
			all[i].Names = append(all[i].Names, l.Name)
		}
	}
	slices.SortStableFunc(all, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(len(b.Names), len(a.Names)), cmp.Compare(a.Step, b.Step))
	})
	return all
}

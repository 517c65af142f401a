package progress

import (
	"lab/internal/course"
)

// Kind is how a Report is known among other JSON.
const Kind = "lab progress"

// Report is the progress as `lab progress --json` prints it, for other programs
// and for whoever teaches a class.
type Report struct {
	Kind    string       `json:"kind"`
	Version int          `json:"version"`
	ID      string       `json:"id"`   // the same for the same state file
	Name    string       `json:"name"` // whose it is
	Passed  int          `json:"passed"`
	Steps   []StepReport `json:"steps"`
}

// StepReport is what is known of one step.
type StepReport struct {
	ID        string `json:"id"`
	Ran       bool   `json:"ran"`
	Passed    bool   `json:"passed"`
	Failed    bool   `json:"failed"`
	Check     string `json:"check,omitempty"`
	Mistake   string `json:"mistake,omitempty"`
	Diagnosis string `json:"diagnosis,omitempty"`
	Hints     int    `json:"hints,omitempty"` // how many were read
}

// Report returns the progress of somebody.
func (f *File) Report(name string) Report {
	r := Report{Kind: Kind, Version: version, ID: f.ID(), Name: name}
	for _, s := range course.Steps() {
		failure, failed := f.LastFailure(s.ID)
		r.Steps = append(r.Steps, StepReport{
			ID: s.ID, Ran: f.Ran(s.ID), Passed: f.Passed(s.ID), Failed: failed,
			Check: failure.Check, Mistake: failure.Mistake, Diagnosis: failure.Diagnosis,
			Hints: f.Hints(s.ID),
		})
		if f.Passed(s.ID) {
			r.Passed++
		}
	}
	return r
}

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/check"
	"lab/internal/course"
	"lab/internal/judge"
	"lab/internal/progress"
	"lab/internal/screen"
	"lab/internal/workspace"
)

// reporter shows how a check goes, to a person or to a program.
type reporter interface {
	build(step course.Step, err *workspace.BuildError)
	begin(step course.Step, o judge.Orders)
	answer(a judge.Answer)
	end(step course.Step)
	first() *progress.Failure // the first failed check, nil if there is none
}

// reporter returns the one that the flags ask for.
func (o *checkOptions) reporter(cmd *cobra.Command, p *place) reporter {
	t := tally{options: o}
	if o.json {
		return &jsonReport{tally: t, lines: json.NewEncoder(cmd.OutOrStdout())}
	}
	return &textReport{tally: t, Screen: screen.Of(cmd.OutOrStdout()), place: p}
}

// tally counts answers and keeps the first failure.
type tally struct {
	options                 *checkOptions
	passed, failed, skipped int
	failure                 *progress.Failure
}

func (t *tally) first() *progress.Failure { return t.failure }

// count counts one answer.
func (t *tally) count(a judge.Answer) {
	switch a.Verdict {
	case judge.Pass:
		t.passed++
	case judge.Skip:
		t.skipped++
	case judge.Fail:
		t.failed++
		if t.failure == nil {
			t.failure = &progress.Failure{
				Check: a.Name, Mistake: a.Failure.Mistake,
				Diagnosis: a.Failure.Diagnosis, Kernel: a.Failure.Kernel,
			}
		}
	}
}

// jsonReport prints an object a line.
type jsonReport struct {
	tally
	lines *json.Encoder
}

// event is one line of --json.
type event struct {
	Event   string         `json:"event"`
	Step    string         `json:"step,omitempty"`
	Program string         `json:"program,omitempty"`
	Seed    uint64         `json:"seed,omitempty"`
	Checks  int            `json:"checks,omitempty"`
	Output  string         `json:"output,omitempty"`
	Name    string         `json:"name,omitempty"`
	Verdict string         `json:"verdict,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Failure *check.Failure `json:"failure,omitempty"`
	Millis  *int64         `json:"ms,omitempty"`
	*totals
	OK *bool `json:"ok,omitempty"`
}

// totals are the numbers of an end.
type totals struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

// say prints one event; a reader that is gone ends the command by SIGPIPE.
func (r *jsonReport) say(e event) { _ = r.lines.Encode(e) }

func (r *jsonReport) build(step course.Step, err *workspace.BuildError) {
	ok := false
	r.failed++
	r.say(event{Event: "build", Step: step.ID, Output: err.Output, OK: &ok})
}

func (r *jsonReport) begin(step course.Step, o judge.Orders) {
	checks := 0
	for _, s := range course.UpTo(step.ID) {
		checks += len(check.Of(s.ID))
	}
	r.say(event{
		Event: "begin", Step: step.ID, Program: o.Program, Seed: o.Seed, Checks: checks,
	})
}

func (r *jsonReport) answer(a judge.Answer) {
	r.count(a)
	r.say(event{
		Event: "check", Step: a.Step, Name: a.Name, Verdict: a.Verdict, Reason: a.Reason,
		Failure: a.Failure, Millis: &a.Millis,
	})
}

func (r *jsonReport) end(step course.Step) {
	ok := r.failed == 0
	r.say(event{
		Event: "end", Step: step.ID, OK: &ok, totals: &totals{r.passed, r.failed, r.skipped},
	})
}

// textReport prints for a person.
type textReport struct {
	tally
	screen.Screen
	place *place
	step  string // whose checks are being asked
	asked int    // how many of them have answered
}

func (r *textReport) build(step course.Step, err *workspace.BuildError) {
	fmt.Fprintf(r, "%s  %s builds\n\n%s\n\nNext: mend what the compiler says, then lab check %s\n",
		r.Alarm("FAIL"), step.ID, err.Output, step.ID[:2])
}

func (r *textReport) begin(step course.Step, o judge.Orders) {
	program := r.options.program
	if program == "" {
		program = "your program"
	}
	fmt.Fprintf(r, "%s  %s\n", r.Bold(step.ID+": "+step.Title), r.Faint(
		fmt.Sprintf("(%s, seed %d)", program, o.Seed)))
	r.step = step.ID
}

// answer prints one line, and of a failure all that there is to know.
func (r *textReport) answer(a judge.Answer) {
	r.count(a)
	if a.Step != r.step {
		r.step, r.asked = a.Step, 0
		fmt.Fprintf(r, "and what %s could do\n", a.Step)
	}
	r.asked++
	switch a.Verdict {
	case judge.Pass:
		fmt.Fprintf(r, "%s  %s\n", r.Own("PASS"), a.Name)
	case judge.Skip:
		fmt.Fprintf(r, "SKIP  %s: %s\n", a.Name, a.Reason)
	case judge.Fail:
		fmt.Fprintf(r, "%s  %s\n", r.Alarm("FAIL"), r.Bold(a.Name))
		r.explain(a.Failure)
		if left := len(check.Of(a.Step)) - r.asked; r.failed == maxFailures && left > 0 &&
			!r.options.all {
			fmt.Fprintf(r, "%d more checks of %s were not asked; --all asks them\n", left, a.Step)
		}
	}
}

// explain prints a failure: names on the left, and texts as wide as there is
// room. A command stays on one line, to be copied.
func (r *textReport) explain(f *check.Failure) {
	const names = 17
	for _, part := range []struct {
		name, text string
		command    bool
	}{
		{"run it again", r.byHand(f.Command), true},
		{"expected", f.Expected, false},
		{"the kernel says", f.Kernel, false},
		{"diagnosis", f.Diagnosis, false},
		{"look", f.Look, true},
	} {
		if part.text == "" {
			continue
		}
		lines := []string{part.text}
		if !part.command {
			lines = r.wrap(part.text, r.Width-names-6)
		}
		for i, line := range lines {
			name := part.name
			if i > 0 {
				name = ""
			}
			blanks := strings.Repeat(" ", names-len(name))
			fmt.Fprintf(r, "      %s%s%s\n", r.Faint(name), blanks, line)
		}
	}
}

// wrap breaks a text that may have lines of its own and come from a program.
func (r *textReport) wrap(text string, width int) []string {
	const most = 12 // a program may say more than anybody reads
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, screen.Wrap(r.Clean(strings.TrimSuffix(line, "\n")), width)...)
	}
	if len(lines) > most {
		lines = append(lines[:most], r.Sign("…", "..."))
	}
	return lines
}

// byHand is a command of a check as it can be typed on the host: an ordinary
// user is root of a user namespace while the checks run.
func (r *textReport) byHand(command string) string {
	if command == "" || os.Geteuid() == 0 {
		return command
	}
	return "unshare --user --map-root-user " + command
}

// end says how it went and what to type next.
func (r *textReport) end(step course.Step) {
	number := step.ID[:2]
	summary := fmt.Sprintf("%d passed, %d failed, %d skipped", r.passed, r.failed, r.skipped)
	if r.failed > 0 {
		fmt.Fprintf(r, "\n%s. The files of the check are in %s until the next one.\n",
			r.Bold(summary), filepath.Clean(r.place.dir))
		if r.options.program == "" {
			fmt.Fprintf(r, "Next: lab hint %s\n", number)
		}
		return
	}
	next := "lab --help: you have built them all"
	steps := course.Steps()
	for i, s := range steps[:len(steps)-1] {
		if s.ID == step.ID {
			next = "lab start " + steps[i+1].ID[:2]
		}
	}
	fmt.Fprintf(r, "\n%s. %s does what it should.\nNext: %s\n", r.Bold(summary), step.ID, next)
}

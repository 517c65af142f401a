//go:build linux

package corpus

import (
	"context"
	"fmt"
	"os"

	"lab/internal/check"
	"lab/internal/course"
	"lab/internal/judge"
)

// Outcome is how an entry's program was judged.
type Outcome struct {
	Entry   Entry
	Failed  string         // the check that failed first
	Failure *check.Failure // and how
	Skips   []string       // why checks before it could not be asked here
	Wrong   string         // in which way that is not what it should be
}

// Judge has the entry's program judged and compares.
func (e Entry) Judge(ctx context.Context, o judge.Orders) (Outcome, error) {
	out := Outcome{Entry: e}
	step, err := course.Find(e.Step)
	if err != nil {
		return out, err
	}
	o.Shared = true
	err = judge.Step(ctx, step, o, func(a judge.Answer) error {
		switch a.Verdict {
		case judge.Skip:
			out.Skips = append(out.Skips, a.Reason)
		case judge.Fail:
			out.Failed, out.Failure = a.Name, a.Failure
			return judge.ErrStop
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("judge %s: %w", e.ID(), err)
	}
	out.Wrong = e.compare(out)
	return out, nil
}

// compare says what is wrong with an outcome.
func (e Entry) compare(out Outcome) string {
	switch {
	case e.Diagnosis == "" && out.Failure == nil:
		return ""
	case e.Diagnosis == "":
		return fmt.Sprintf("it is right, and yet: %s\n%s", out.Failed, out.Failure)
	case out.Failure == nil:
		return "every check passes"
	case out.Failure.Mistake != e.Diagnosis:
		return fmt.Sprintf("diagnosed as %q instead of %q: %s\n%s",
			out.Failure.Mistake, e.Diagnosis, out.Failed, out.Failure)
	}
	return ""
}

// Lacks returns what the entry needs and this machine does not have, or "".
func (e Entry) Lacks(have func(thing string) bool) string {
	for _, thing := range e.Needs {
		if !have(thing) {
			return thing
		}
	}
	return ""
}

// Place makes a directory for one judgement.
func Place(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "judge-")
	if err != nil {
		return "", err
	}
	// The container's root may be somebody else outside: it has to get through.
	return dir, os.Chmod(dir, 0o755) //nolint:gosec // see above
}

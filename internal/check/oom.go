//go:build linux

package check

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// commandOutOfMemory has the command itself killed.
func commandOutOfMemory(ctx context.Context, s *Subject) error {
	if err := needLimits(); err != nil {
		return err
	}
	r, err := s.Run(ctx, "", allLimits(), filepath.Join(s.Root, "bin", "hog"), "80M")
	if err != nil {
		return err
	}
	return called("oom-status-lost",
		wantStatus(r, 137, "The OOM killer sends SIGKILL, and 128+9 is how that is told."))
}

// toldAsCounted ends a command with status 137 in two ways, of which the kernel
// counts one. This is about what the program says: it has to say it by the
// counter, for the status cannot tell the two apart.
func toldAsCounted(ctx context.Context, s *Subject) error {
	if err := needLimits(); err != nil {
		return err
	}
	for _, way := range []struct {
		counted   bool
		command   []string
		mistake   string
		diagnosis string
	}{
		{
			true,
			[]string{filepath.Join(s.Root, "bin", "hog"), "80M"},
			"oom-not-told",
			"Nobody learns why the command was killed: the counter oom_kill is to be read " +
				"before the cgroup is removed.",
		},
		{
			false,
			[]string{s.Probe(false), "signal", "9"},
			"oom-guessed-by-status",
			"137 says that SIGKILL came, not from whom: read the counter oom_kill.",
		},
	} {
		r, err := s.Run(ctx, "", allLimits(), way.command...)
		if err != nil {
			return err
		}
		told := strings.Contains(strings.ToLower(r.Stderr), "oom") ||
			strings.Contains(strings.ToLower(r.Stderr), "out of memory")
		if told == way.counted && r.Status == 137 {
			continue
		}
		count := map[bool]string{false: "no kill", true: "a kill"}[way.counted]
		return &Failure{
			Command:  r.Command,
			Expected: fmt.Sprintf("status 137; a word of the OOM killer: %v", way.counted),
			Kernel: fmt.Sprintf(
				"its counter oom_kill has %s; the program ended with %d and said %q",
				count, r.Status, strings.TrimSpace(r.Stderr)),
			Mistake: way.mistake, Diagnosis: way.diagnosis,
		}
	}
	return nil
}

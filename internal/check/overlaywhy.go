//go:build linux

package check

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// whyNoOverlay names the mistake of a program that gave up, if the kernel's log
// does. A line counts that comes each time: others write to the log as well.
func (s *Subject) whyNoOverlay(ctx context.Context, flags []string, err error) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Mistake != "gave-up" {
		return err
	}
	var often []string
	for round := range 2 {
		lines, err := kernelLog(func() error {
			_, err := s.Run(ctx, "", flags, s.Probe(true), "exit", "0")
			return err
		})
		if err != nil {
			return err
		}
		if round == 0 {
			often = lines
		}
		often = slices.DeleteFunc(often, func(l string) bool { return !slices.Contains(lines, l) })
	}
	for _, line := range often {
		for _, known := range overlayComplaints() {
			if strings.Contains(line, known.text) {
				f.Kernel += "; its log: " + line
				f.Mistake, f.Diagnosis, f.Look = known.mistake, known.diagnosis, "dmesg | tail"
				return f
			}
		}
	}
	return f
}

// complaint is what the kernel writes into its log about a mistake.
type complaint struct{ text, mistake, diagnosis string }

// overlayComplaints are those of the overlay file system, in parts that stay the
// same from version to version.
func overlayComplaints() []complaint {
	unknown := "The layers of lowerdir= stand with colons between them: " +
		"after a comma the next option begins."
	return []complaint{
		{
			"must reside under the same mount", "work-on-other-fs",
			"A finished file is renamed from workdir= to upperdir=, " +
				"so both have to be in one file system, and in one mount of it.",
		},
		{
			"must be separate subtrees", "work-inside-upper",
			"workdir= lies inside upperdir=, or the other way round: " +
				"they have to lie beside each other.",
		},
		{
			"missing 'workdir'", "no-workdir",
			"An overlay with upperdir= needs workdir= as well, an empty directory beside it.",
		},
		{"nknown parameter", "layers-joined-by-comma", unknown},
		{"unrecognized mount option", "layers-joined-by-comma", unknown},
		{
			"failed to resolve", "layer-not-found",
			"The options name a directory that is not there, seen from the process that " +
				"mounts: a relative name counts from its working directory.",
		},
	}
}

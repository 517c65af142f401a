//go:build linux

// Package check judges a program that claims to make containers. The program
// is a black box with the command line of a step; what it did is read from
// outside, from the kernel: /proc/PID/ns, mountinfo, cgroup files, links,
// routes, and what is left when it has ended. What the program prints about
// itself proves nothing and is not looked at.
package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Check is one question to the kernel about a program.
type Check struct {
	// Name is the sentence that holds when the check passes.
	Name string
	// Run answers: nil, a *Failure, a Skip, or an error of the check itself.
	Run func(ctx context.Context, s *Subject) error
}

// Failure says how a program failed a check, in the kernel's words.
type Failure struct {
	Command   string `json:"command,omitempty"` // what to type to see it again
	Expected  string `json:"expected,omitempty"`
	Kernel    string `json:"kernel,omitempty"`    // what the kernel says instead, and where
	Diagnosis string `json:"diagnosis,omitempty"` // which mistake that is, in words
	Look      string `json:"look,omitempty"`      // a command to look with
	// Mistake names the mistake in a word that stays, such as no-clone-newuts;
	// empty where the kernel's state does not tell one from another.
	Mistake string `json:"mistake,omitempty"`
}

// Error puts the failure into lines.
func (f *Failure) Error() string {
	var b strings.Builder
	for _, line := range []struct{ name, text string }{
		{"command", f.Command},
		{"expected", f.Expected},
		{"the kernel says", f.Kernel},
		{"diagnosis", f.Diagnosis},
		{"look", f.Look},
	} {
		if line.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", line.name, line.text)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Skip is the reason for which this machine cannot answer a check.
type Skip string

// Error returns the reason.
func (s Skip) Error() string { return string(s) }

// Skipped returns the reason if err is a Skip.
func Skipped(err error) (string, bool) {
	skip, ok := errors.AsType[Skip](err)
	return string(skip), ok
}

// Of returns the checks of one step, without those of its ancestors.
func Of(step string) []Check {
	return map[string][]Check{
		"00-exec":    execChecks(),
		"01-uts":     utsChecks(),
		"02-pid":     pidChecks(),
		"03-mount":   mountChecks(),
		"04-net":     netChecks(),
		"05-cgroups": cgroupChecks(),
		"06-unionfs": overlayChecks(),
		"07-volumes": volumeChecks(),
		"08-user":    userChecks(),
	}[step]
}

// Exercise returns the checks of the exercises in a step's lesson. The step's own
// program fails them: they are for the reader's.
func Exercise(step string) []Check {
	return map[string][]Check{
		"02-pid": {
			{
				"the container has an IPC namespace of its own",
				ownNamespace("ipc", "CLONE_NEWIPC", false),
			},
		},
	}[step]
}

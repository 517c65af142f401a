//go:build linux

package check

import (
	"context"
	"os"
	"slices"
	"strings"
)

// refusals runs a program that gave up once more, traced, and returns the calls that
// the kernel did not do. What the program says of them may be in any words, or none.
//
// The Go runtime ends a program that panics by a signal if GOTRACEBACK says so:
//
//	tgkill(7, 7, SIGABRT)
func (s *Subject) refusals(ctx context.Context, flags, command []string) []Traced {
	cmd := s.command(ctx, flags, command)
	cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
	calls, err := s.traceLine(ctx, cmd, "--all")
	if err != nil {
		return nil // the state of the processes has to do
	}
	return slices.DeleteFunc(calls, func(call Traced) bool {
		again := strings.HasPrefix(call.Errno, "ERESTART") || call.Errno == "EAGAIN" ||
			call.Errno == "EINTR"
		return !call.aborts() && (call.Errno == "" || again)
	})
}

// aborts reports whether a call is one by which a program ends itself for a bug.
func (call Traced) aborts() bool {
	return (call.Call == "tgkill" || call.Call == "kill" || call.Call == "tkill") &&
		slices.Contains(call.Args, "SIGABRT")
}

// refused reports whether the kernel refused one of some calls with one of some
// errors, given in one line; none is any error.
func (r *remains) refused(errors string, names ...string) bool {
	return slices.ContainsFunc(r.failed, func(call Traced) bool {
		fits := errors == "" || slices.Contains(strings.Fields(errors), call.Errno)
		return call.Errno != "" && fits && slices.Contains(names, call.Call)
	})
}

// panicCause knows a program that ended because of a bug of its own.
func panicCause(_ *Subject, r *remains) bool {
	return slices.ContainsFunc(r.failed, Traced.aborts) && r.names("panicked",
		"The program panicked before the command ran. "+
			"The first line that it printed says why, the one with its file says where.", "")
}

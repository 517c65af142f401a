//go:build linux

package session

import (
	"fmt"
	"strings"
)

// plainly prints, in a plain session.
func (s *session) plainly(format string, args ...any) {
	if s.Plain {
		fmt.Fprintf(s.Out, format, args...)
	}
}

// plainEvent prints one result.
func (s *session) plainEvent(e event) {
	switch e.Event {
	case "build":
		if !e.OK {
			s.plainly("FAIL  it does not build\n%s\n",
				strings.Join(foreign(s.screen, strings.TrimSpace(e.Output), s.screen.Width), "\n"))
		}
	case "check":
		line := strings.ToUpper(s.screen.Clean(e.Verdict)) + "  " + s.model.named(s.screen, e)
		if e.Reason != "" {
			line += ": " + s.screen.Clean(e.Reason)
		}
		lines := append([]string{line}, explain(s.screen, e.Failure)...)
		s.plainly("%s\n", strings.Join(lines, "\n"))
	case "end":
		s.plainly("%d passed, %d failed, %d skipped\n", e.Passed, e.Failed, e.Skipped)
	}
}

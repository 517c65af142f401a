package workspace

import (
	"fmt"
	"strings"

	"lab/internal/course"
)

// guide writes START.md: what is the same in all steps around the step's own text.
func (s *Started) guide(step string) ([]byte, error) {
	text, err := stubs.ReadFile("stubs/" + step + "/START.md")
	if err != nil {
		return nil, fmt.Errorf("read the guide of %s: %w", step, err)
	}
	var b strings.Builder
	info, err := course.Find(step)
	if err != nil {
		return nil, err
	}
	number := step[:2]
	fmt.Fprintf(&b, "# %s: %s\n\n", step, info.Title)
	fmt.Fprintf(&b, "Before: %s. After: %s.\n\n", info.Before, info.After)
	switch {
	case s.Parent == "":
		b.WriteString("The program begins as a frame that compiles and runs nothing.\n")
	case s.From == Mine:
		fmt.Fprintf(&b, "This program begins as your %s.\n", s.Parent)
	case s.Skipped:
		fmt.Fprintf(&b, "This program begins as the reference program of %s, for you have none.\n",
			s.Parent)
	default:
		fmt.Fprintf(&b, "This program begins as the reference program of %s.\n", s.Parent)
	}
	if len(s.Fields) > 0 {
		fmt.Fprintf(&b, "One change is made already: type `container` has the new `%s`.\n",
			strings.Join(s.Fields, "`, `"))
	}
	fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(string(text)))
	fmt.Fprintf(&b, "\n## Check\n\n"+
		"    lab check %[1]s        what the kernel says of your program\n"+
		"    lab hint %[1]s         a step closer, three times\n"+
		"    lab show %[1]s         the lesson\n"+
		"    lab solution %[1]s     the reference program, as a diff of yours\n"+
		"    lab reset %[1]s        begin anew; what you have is kept\n", number)
	return []byte(b.String()), nil
}

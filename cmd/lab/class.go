package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/class"
	"lab/internal/course"
	"lab/internal/screen"
)

// showClass prints the table of a directory of reports.
func showClass(cmd *cobra.Command, dir string, asJSON bool) error {
	c, err := class.Read(dir)
	if c != nil {
		s := screen.Of(cmd.ErrOrStderr())
		for _, line := range c.LeftOut {
			fmt.Fprintf(s, "lab: left out: %s\n", s.Clean(line))
		}
	}
	if errors.Is(err, class.ErrNone) {
		return hinted{err, "each learner runs lab progress --json >NAME.json"}
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), c)
	}
	return printClass(screen.Of(cmd.OutOrStdout()), c)
}

// printClass prints who is where, how many passed each step, and what they are
// stuck at.
func printClass(s screen.Screen, c *class.Class) error {
	table := screen.Table{Screen: s, Flex: 0}
	head, foot, sum := []string{"learner"}, []string{"passed"}, 0
	for _, step := range course.Steps() {
		n := 0
		for _, l := range c.Learners {
			if l.Step(step.ID).Passed {
				n++
			}
		}
		head, foot, sum = append(head, step.ID[:2]), append(foot, strconv.Itoa(n)), sum+n
	}
	table.Add(append(head, "passed")...)
	for _, l := range c.Learners {
		row := []string{s.Clean(l.Name)}
		for _, step := range course.Steps() {
			known := l.Step(step.ID)
			row = append(row, sign(s, known.Passed, known.Failed, known.Ran))
		}
		table.Add(append(row, strconv.Itoa(l.Report.Passed))...)
	}
	table.Add(append(foot, strconv.Itoa(sum))...)
	table.Print()
	fmt.Fprintf(s, "\n%s\n", legend(s))
	return printTroubles(s, c)
}

// printTroubles prints where the class is stuck, the most frequent first.
func printTroubles(s screen.Screen, c *class.Class) error {
	troubles := c.Troubles()
	if len(troubles) == 0 {
		return nil
	}
	fmt.Fprintf(s, "\nStuck at:\n")
	table := screen.Table{Screen: s, Indent: 2, Flex: 2, Wrap: true, Right: map[int]bool{0: true}}
	for _, t := range troubles {
		table.Add(strconv.Itoa(len(t.Names)), t.Step,
			s.Clean(t.Check+" ("+strings.Join(t.Names, ", ")+")"))
	}
	table.Print()
	return nil
}

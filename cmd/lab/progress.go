package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/invoker"
	"lab/internal/progress"
	"lab/internal/screen"
)

// newProgress makes `lab progress`.
func newProgress() *cobra.Command {
	var asJSON bool
	var dir, name string
	cmd := &cobra.Command{
		Use:   "progress",
		Short: "What passed and what failed, yours or a class's",
		Long: "Shows which of your steps passed their checks and what was last found wrong with\n" +
			"the others. It stands in a text file, which you may edit.\n\n" +
			"For a class everybody runs `lab progress --json >NAME.json`; --class makes one\n" +
			"table of a directory of such files.",
		Example: "  lab progress\n  lab progress --json >ann.json\n  lab progress --class reports/",
		GroupID: groupLearn,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("class") {
				return showClass(cmd, dir, asJSON)
			}
			f, err := openProgress(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), f.Report(orAccount(name)))
			}
			return showProgress(screen.Of(cmd.OutOrStdout()), f)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&dir, "class", "", "merge the JSON files of `DIR`")
	cmd.Flags().StringVar(&name, "name", "", "`NAME` in the JSON; your account's if none")
	return cmd
}

// printJSON prints a value for other programs.
func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// orAccount returns a name, or the account's and the machine's.
func orAccount(name string) string {
	if name != "" {
		return name
	}
	name = "somebody"
	if who, err := invoker.Current(); err == nil {
		if account, err := user.LookupId(strconv.Itoa(who.UID)); err == nil {
			name = account.Username
		}
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// openProgress opens the progress and says what was wrong with the file.
func openProgress(stderr io.Writer) (*progress.File, error) {
	f, err := progress.Open()
	if err != nil {
		return nil, hinted{err, "look at that file; rename it to begin anew"}
	}
	if f.Notice() != "" {
		fmt.Fprintf(stderr, "lab: %s\n", f.Notice())
	}
	return f, nil
}

// remember notes that a step was run. A home that cannot be written to is no
// reason to refuse a run, so the caller may ignore the error.
func remember(step string) error {
	f, err := progress.Open()
	if err != nil || f.Ran(step) {
		return err
	}
	f.Run(step)
	return f.Save()
}

// Signs of what is known of a step; in ASCII where there is no more.
func sign(s screen.Screen, passed, failed, ran bool) string {
	switch {
	case passed:
		return s.Own(s.Sign("✓", "+"))
	case failed:
		return s.Alarm(s.Sign("✗", "x"))
	case ran:
		return "*"
	}
	return s.Sign("·", ".")
}

// signOf is the sign of a step in a progress file.
func signOf(s screen.Screen, f *progress.File, step string) string {
	_, failed := f.LastFailure(step)
	return sign(s, f.Passed(step), failed, f.Ran(step))
}

// legend explains the signs.
func legend(s screen.Screen) string {
	return fmt.Sprintf("%s passed  %s failed  %s run  %s not yet", sign(s, true, false, false),
		sign(s, false, true, false), sign(s, false, false, true), sign(s, false, false, false))
}

// showProgress prints a line for each step and one thing to do next.
func showProgress(s screen.Screen, f *progress.File) error {
	fmt.Fprintf(s, "%d of %d steps passed\n\n", countPassed(f), len(course.Steps()))
	table := screen.Table{Screen: s, Indent: 2, Flex: 2, Wrap: true}
	for _, step := range course.Steps() {
		text := step.Title
		if failure, failed := f.LastFailure(step.ID); failed {
			text = s.Clean(failure.Check)
			if failure.Diagnosis != "" {
				text += ": " + s.Clean(failure.Diagnosis)
			}
		}
		if n := f.Hints(step.ID); n > 0 {
			text += fmt.Sprintf(" (%d of 3 hints read)", n)
		}
		table.Add(signOf(s, f, step.ID), step.ID, text)
	}
	table.Print()
	fmt.Fprintf(s, "\n%s\nfile: %s\n", legend(s), f.Path())
	_, err := fmt.Fprintf(s, "\nNext: %s\n", nextCommand(f))
	return err
}

// countPassed returns how many steps passed.
func countPassed(f *progress.File) int {
	n := 0
	for _, s := range course.Steps() {
		if f.Passed(s.ID) {
			n++
		}
	}
	return n
}

// nextCommand is the one thing to type next: whoever has a program that fails
// checks it, whoever builds starts the next step, whoever looks runs it.
func nextCommand(f *progress.File) string {
	current, more := f.Current()
	_, failed := f.LastFailure(current.ID)
	switch {
	case !more:
		return "lab --help"
	case failed:
		return "lab check " + current.ID[:2]
	case countPassed(f) > 0:
		return "lab start " + current.ID[:2]
	}
	ran := false
	for _, s := range course.Steps() {
		switch {
		case f.Ran(s.ID):
			ran = true
		case ran:
			return "lab run " + s.ID[:2]
		}
	}
	if ran {
		return "lab start"
	}
	return "lab tour"
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lab/internal/course"
	"lab/internal/program"
	"lab/internal/progress"
	"lab/internal/workspace"
)

// workspaceFlag adds the flag that says where the learner's programs are.
func workspaceFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "workspace", "",
		"`DIR` of your programs; else $"+workspace.Variable+",\nelse workspace/ here or above")
}

// fromFlag adds the flag that says what a step begins as.
func fromFlag(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "from", "",
		"whose `PROGRAM` of the step before it begins as: mine or\n"+
			"reference; else yours, if it passed its checks")
}

// parseFrom reads the flag --from.
func parseFrom(text string) (workspace.From, error) {
	switch from := workspace.From(text); from {
	case workspace.Auto, workspace.Mine, workspace.Reference:
		return from, nil
	}
	return "", fmt.Errorf("%w: --from %q: it is mine or reference", errUsage, text)
}

// named returns the step that the arguments name, or else one that the progress
// chooses; that it chooses none means that all have passed.
func named(args []string, choose func() (course.Step, bool)) (course.Step, error) {
	if len(args) > 0 {
		step, err := course.Find(args[0])
		if err != nil {
			return step, hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
		}
		return step, nil
	}
	if step, ok := choose(); ok {
		return step, nil
	}
	return course.Step{}, hinted{
		errors.New("all steps have passed: say which one you mean"), "lab list",
	}
}

// whereFrom decides what a step begins as where the command line does not say it:
// the learner's program of the step before must have passed.
func whereFrom(
	w *workspace.Workspace, kept *progress.File, step course.Step, verb, from string,
) (workspace.From, error) {
	wanted, err := parseFrom(from)
	if err != nil || wanted != workspace.Auto {
		return wanted, err
	}
	path := course.UpTo(step.ID)
	if len(path) < 2 || !w.Has(path[len(path)-2].ID) {
		return wanted, nil
	}
	parent := path[len(path)-2].ID
	if kept.Passed(parent) {
		return wanted, nil
	}
	again := "lab " + verb + " " + step.ID[:2]
	return wanted, hinted{
		fmt.Errorf("%s %s: your %s has not passed its checks", verb, step.ID, parent),
		fmt.Sprintf("lab check %s, or %s --from reference (or --from mine, as it is)",
			parent[:2], again),
	}
}

// adviseStart gives an error of a start or reset its hint.
func adviseStart(err error, step course.Step, verb string) error {
	number := step.ID[:2]
	again := "lab " + verb + " " + number
	_, unfit := errors.AsType[*workspace.UnfitError](err)
	switch {
	case err == nil:
		return nil
	case unfit:
		return hinted{err, again + " --from reference (or --from mine, to mend it there)"}
	case errors.Is(err, workspace.ErrExists):
		return hinted{err, fmt.Sprintf("lab check %s, or lab reset %[1]s to begin anew", number)}
	case errors.Is(err, workspace.ErrNotStarted):
		return hinted{err, "lab start " + number}
	case errors.Is(err, program.ErrNoGo):
		return hinted{err, "install Go, or put it on PATH"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS),
		errors.Is(err, syscall.ENOSPC):
		return hinted{err, again + " --workspace DIR, with a directory of yours"}
	}
	return err
}

// printStarted tells what there is now and what to do with it.
func printStarted(cmd *cobra.Command, step course.Step, made workspace.Started) {
	out := cmd.OutOrStdout()
	number := step.ID[:2]
	fmt.Fprintf(out, "%s: %s\n\n", step.ID, step.Title)
	switch {
	case made.Parent == "":
		fmt.Fprintln(out, "  begins as  a frame that runs nothing")
	case made.From == workspace.Mine:
		fmt.Fprintf(out, "  begins as  your %s\n", made.Parent)
	case made.Skipped:
		fmt.Fprintf(out, "  begins as  the reference program of %s, for you have none\n",
			made.Parent)
	default:
		fmt.Fprintf(out, "  begins as  the reference program of %s\n", made.Parent)
	}
	label := "to write"
	for _, todo := range made.Todo {
		fmt.Fprintf(out, "  %-9s  %s: %s\n", label, todo.File, strings.Join(todo.Functions, ", "))
		label = ""
	}
	if made.Parent != "" {
		fmt.Fprintln(out, "  to edit    what START.md says")
	}
	if len(made.Given) > 0 {
		fmt.Fprintln(out, folded("  given      ", made.Given))
	}
	guide := filepath.Join(nearby(made.Dir), "START.md")
	fmt.Fprintf(out, "\nNext: read %s, then lab check %s\n", guide, number)
}

// folded joins words with commas into lines that fit a narrow terminal.
func folded(label string, words []string) string {
	const width = 78
	line, rest := label, ""
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		if len(line)+1+len(word) > width {
			rest += line + "\n"
			line = strings.Repeat(" ", len(label))
		}
		if !strings.HasSuffix(line, " ") {
			line += " "
		}
		line += word
	}
	return rest + line
}

// nearby returns a path as it is seen from the working directory, where that is
// shorter.
func nearby(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && len(short) < len(path) {
		return short
	}
	return path
}

// confirm asks a question, which nobody but a person at a terminal can answer.
func confirm(cmd *cobra.Command, step course.Step, yes bool, why error, question string) error {
	if yes {
		return nil
	}
	in, isFile := cmd.InOrStdin().(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return hinted{why, cmd.CommandPath() + " " + step.ID[:2] + " --yes"}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%v. %s [y/N] ", why, question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr()) // the line that the end of input left open
	}
	return exited(1)
}

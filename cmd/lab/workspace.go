package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
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

// task is a step of the learner's that a command is about.
type task struct {
	cmd       *cobra.Command
	workspace *workspace.Workspace
	kept      *progress.File
	step      course.Step
	dir       string // as the command line has it, "" if it has none
}

// newTask finds the workspace and the step that the arguments name, or else the
// first that has not passed.
func newTask(cmd *cobra.Command, dir string, args []string) (*task, error) {
	t := &task{cmd: cmd, dir: dir}
	var err error
	if t.kept, err = openProgress(cmd.ErrOrStderr()); err != nil {
		return nil, err
	}
	if t.workspace, err = workspace.Find(dir); err != nil {
		return nil, err
	}
	if len(args) > 0 {
		if t.step, err = course.Find(args[0]); err != nil {
			return nil, hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
		}
		return t, nil
	}
	step, ok := t.kept.Next()
	if !ok {
		return nil, hinted{
			errors.New("all steps have passed: say which one you mean"), "lab list",
		}
	}
	t.step = step
	return t, nil
}

// command is a command about the same step in the same workspace, to be typed.
func (t *task) command(name string) string {
	line := "lab " + name + " " + t.step.ID[:2]
	if t.dir == "" {
		return line
	}
	if strings.ContainsAny(t.dir, " '\"$\\*?&;") {
		return line + " --workspace " + strconv.Quote(t.dir)
	}
	return line + " --workspace " + t.dir
}

// again is the command that is running.
func (t *task) again() string { return t.command(t.cmd.Name()) }

// origin decides what the step begins as. Where the command line does not say it,
// the learner's program of the step before must have passed.
func (t *task) origin(from string) (workspace.From, error) {
	wanted := workspace.From(from)
	switch wanted {
	case workspace.Mine, workspace.Reference:
		return wanted, nil
	case workspace.Auto:
	default:
		return "", fmt.Errorf("%w: --from %q: it is mine or reference", errUsage, from)
	}
	path := course.UpTo(t.step.ID)
	if len(path) < 2 {
		return wanted, nil
	}
	parent := path[len(path)-2].ID
	if !t.workspace.Has(parent) || t.kept.Passed(parent) {
		return wanted, nil
	}
	return wanted, hinted{
		fmt.Errorf("%s %s: your %s has not passed its checks", t.cmd.Name(), t.step.ID, parent),
		fmt.Sprintf("lab check %s, or %s --from reference (or --from mine, as it is)",
			parent[:2], t.again()),
	}
}

// advise gives an error of the workspace its hint.
func (t *task) advise(err error) error {
	_, unfit := errors.AsType[*workspace.UnfitError](err)
	switch {
	case err == nil:
		return nil
	case unfit:
		return hinted{err, t.again() + " --from reference (or --from mine, to mend it there)"}
	case errors.Is(err, workspace.ErrExists):
		return hinted{err, t.command("check") + ", or " + t.command("reset") + " to begin anew"}
	case errors.Is(err, workspace.ErrNotStarted):
		return hinted{err, t.command("start")}
	case errors.Is(err, program.ErrNoGo):
		return hinted{err, "install Go, or put it on PATH"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS),
		errors.Is(err, syscall.ENOSPC):
		t.dir = ""
		return hinted{err, t.again() + " --workspace DIR, with a directory of yours"}
	}
	return err
}

// confirm asks a question, which nobody but a person at a terminal can answer.
func (t *task) confirm(why error, question string) error {
	in, isFile := t.cmd.InOrStdin().(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return hinted{why, t.again() + " --yes"}
	}
	fmt.Fprintf(t.cmd.ErrOrStderr(), "%v. %s [y/N] ", why, question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	if err != nil {
		fmt.Fprintln(t.cmd.ErrOrStderr()) // the line that the end of input left open
	}
	return exited(1)
}

// printStarted tells what there is now and what to do with it.
func (t *task) printStarted(made workspace.Started) {
	out := t.cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: %s\n\n", t.step.ID, t.step.Title)
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
	fmt.Fprintf(out, "\nNext: read %s, then %s\n", guide, t.command("check"))
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

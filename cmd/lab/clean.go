//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/journal"
	"lab/internal/screen"
)

// newClean makes `lab clean`.
func newClean() *cobra.Command {
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Undo what killed runs left, and prove that the host is as before",
		Long: "Every run of lab writes down what it will make on the host before it makes it.\n" +
			"clean undoes what a run that was killed has left: processes, the bridge with its\n" +
			"rules, cgroups, directories. It takes for the lab's what the journal names and\n" +
			"the kernel confirms, or what carries the lab's own mark, and nothing else. Then\n" +
			"it compares the host with what it was before: mounts, and with them namespaces\n" +
			"that files hold, links, routes, rules, cgroups, settings.",
		Example: "  lab clean --dry-run\n  sudo lab clean",
		GroupID: groupKeep,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := journal.Clean(cmd.Context(), dryRun)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				err = encoder.Encode(done)
			} else {
				printCleaning(screen.Of(cmd.OutOrStdout()), done)
			}
			return errors.Join(err, judgeCleaning(done))
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be undone and change nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// judgeCleaning is an error if something of the lab's is left.
func judgeCleaning(done journal.Cleaning) error {
	if !done.Failed() {
		return nil
	}
	return hinted{errors.New("something of the lab's could not be removed"), "sudo lab clean"}
}

// printCleaning tells what was found, what became of it, and how the host
// compares with before.
func printCleaning(to screen.Screen, done journal.Cleaning) {
	for _, title := range done.Ended {
		to.Paragraph(title + " was killed before it could undo what it made.")
	}
	for _, title := range done.Active {
		to.Paragraph(title + " goes on; nothing of it is touched.")
	}
	actions := screen.Table{Screen: to, Indent: 2, Flex: 1, Wrap: true, Least: []int{10}}
	for _, a := range done.Actions {
		word, what := a.Result, a.What
		if word == journal.Planned {
			word = "would undo"
		}
		if a.Why != "" {
			what += ": " + a.Why
		}
		actions.Add(word, what)
	}
	actions.Print()
	switch {
	case len(done.Actions) == 0:
		fmt.Fprintln(to, "There is nothing to undo.")
	case done.DryRun:
		fmt.Fprintln(to, "Nothing was changed.")
	}
	if done.Since != "" {
		printComparison(to, done)
	}
}

// printComparison tells how the host differs from before.
func printComparison(to screen.Screen, done journal.Cleaning) {
	var kinds []string
	for _, k := range done.Compared {
		kinds = append(kinds, string(k))
	}
	if len(done.Differences) == 0 {
		to.Paragraph("The host is as it was before " + done.Since + ".")
	} else {
		to.Paragraph("The host is not as before " + done.Since +
			", by nothing known to be the lab's:")
	}
	differences := screen.Table{Screen: to, Indent: 2, Wrap: true}
	for _, d := range done.Differences {
		differences.Add(d.String())
	}
	differences.Print()
	to.Paragraph("Compared: " + strings.Join(kinds, ", ") + ".")
	for _, kind := range slices.Sorted(maps.Keys(done.Unreadable)) {
		to.Paragraph(fmt.Sprintf("Not compared: %s: %s.", kind, done.Unreadable[kind]))
	}
}

//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/journal"
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
				printCleaning(cmd.OutOrStdout(), done)
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
func printCleaning(w io.Writer, done journal.Cleaning) {
	for _, title := range done.Ended {
		fmt.Fprintf(w, "%s was killed before it could undo what it made.\n", title)
	}
	for _, title := range done.Active {
		fmt.Fprintf(w, "%s goes on; nothing of it is touched.\n", title)
	}
	for _, a := range done.Actions {
		word := a.Result
		if word == journal.Planned {
			word = "would undo"
		}
		fmt.Fprintf(w, "  %-10s  %s", word, a.What)
		if a.Why != "" {
			fmt.Fprintf(w, ": %s", a.Why)
		}
		fmt.Fprintln(w)
	}
	switch {
	case len(done.Actions) == 0:
		fmt.Fprintln(w, "There is nothing to undo.")
	case done.DryRun:
		fmt.Fprintln(w, "Nothing was changed.")
	}
	if done.Since != "" {
		printComparison(w, done)
	}
}

// printComparison tells how the host differs from before.
func printComparison(w io.Writer, done journal.Cleaning) {
	var kinds []string
	for _, k := range done.Compared {
		kinds = append(kinds, string(k))
	}
	compared := strings.Join(kinds, ", ")
	if len(done.Differences) == 0 {
		fmt.Fprintf(w, "The host is as it was before %s.\n", done.Since)
	} else {
		fmt.Fprintf(w, "The host is not as before %s, by nothing known to be the lab's:\n",
			done.Since)
		for _, d := range done.Differences {
			fmt.Fprintf(w, "  %s\n", d)
		}
	}
	fmt.Fprintf(w, "Compared: %s.\n", compared)
	for _, kind := range slices.Sorted(maps.Keys(done.Unreadable)) {
		fmt.Fprintf(w, "Not compared: %s: %s.\n", kind, done.Unreadable[kind])
	}
}

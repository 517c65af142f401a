package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/progress"
	"lab/internal/screen"
)

// newList makes `lab list`.
func newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The steps, and how far you are",
		GroupID: groupLearn,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return list(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listed is one step in --json.
type listed struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Before string `json:"before"`
	After  string `json:"after"`
	Flags  string `json:"flags"`
	Ran    bool   `json:"ran"`
	Passed bool   `json:"passed"`
	Failed bool   `json:"failed"`
}

// list prints the steps.
func list(cmd *cobra.Command, asJSON bool) error {
	f, err := openProgress(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if asJSON {
		var rows []listed
		for _, s := range course.Steps() {
			_, failed := f.LastFailure(s.ID)
			rows = append(rows, listed{
				s.ID, s.Title, s.Before, s.After, s.Flags, f.Ran(s.ID), f.Passed(s.ID), failed,
			})
		}
		return printJSON(cmd.OutOrStdout(), rows)
	}
	return showList(screen.Of(cmd.OutOrStdout()), f)
}

// showList prints the steps with their signs.
func showList(s screen.Screen, f *progress.File) error {
	table := screen.Table{Screen: s, Flex: 3, Wrap: true}
	for _, step := range course.Steps() {
		table.Add(signOf(s, f, step.ID), step.ID, step.Title, step.After)
	}
	table.Print()
	_, err := fmt.Fprintf(s, "\n%s\n", legend(s))
	return err
}

package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"lab/internal/course"
)

// newList makes `lab list`.
func newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The steps, and which of them you ran",
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
}

// list prints the steps.
func list(cmd *cobra.Command, asJSON bool) error {
	done, err := openProgress(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	var rows []listed
	for _, s := range course.Steps() {
		rows = append(rows, listed{s.ID, s.Title, s.Before, s.After, s.Flags, done.Ran(s.ID)})
	}
	if asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(rows)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, r := range rows {
		mark := " "
		if r.Ran {
			mark = "*"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\n", mark, r.ID, r.Title, r.After)
	}
	return w.Flush()
}

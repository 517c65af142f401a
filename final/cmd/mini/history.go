package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/final/internal/image"
)

// newHistory makes `mini history`.
func newHistory(a *app) *cobra.Command {
	var quiet, whole bool
	var format string
	cmd := &cobra.Command{
		Use:     "history [FLAGS] IMAGE",
		Short:   "Show how an image was made",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, img, err := a.image("history", args[0])
			if err != nil {
				return err
			}
			if quiet {
				format = "{{.ID}}"
			}
			return printRows(cmd.OutOrStdout(), format, historyOf(img, whole),
				"IMAGE\tCREATED\tCREATED BY\tSIZE\tCOMMENT", func(r historyRow) string {
					return strings.Join([]string{
						r.ID, r.CreatedSince, r.CreatedBy, r.Size, r.Comment,
					}, "\t")
				})
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&quiet, "quiet", "q", false, "only the IDs")
	flags.BoolVar(&whole, "no-trunc", false, "cut nothing short")
	flags.StringVar(&format, "format", "table", "table, json, or a template: '{{.CreatedBy}}'")
	return cmd
}

// historyRow is a step on the way to an image, in docker's words.
type historyRow struct{ ID, CreatedSince, CreatedBy, Size, Comment string }

// historyOf returns the steps, the last one first. Those that left a layer are told from
// the others by the configuration; the layers themselves know nothing.
func historyOf(img *image.Image, whole bool) []historyRow {
	layers := img.Layers()
	rows := []historyRow{}
	for _, step := range img.Config.History {
		row := historyRow{
			ID: "<missing>", CreatedSince: age(step.Created), CreatedBy: step.CreatedBy,
			Size: "0B", Comment: step.Comment,
		}
		if !step.EmptyLayer && len(layers) > 0 {
			row.Size, layers = bytesText(layers[0].Size), layers[1:]
		}
		if !whole {
			row.CreatedBy = ellipsis(row.CreatedBy, 45)
		}
		rows = append(rows, row)
	}
	for _, l := range layers { // that nobody remembers
		rows = append(rows, historyRow{
			ID: "<missing>", CreatedSince: "-", CreatedBy: "-", Size: bytesText(l.Size),
		})
	}
	slices.Reverse(rows)
	if len(rows) > 0 {
		rows[0].ID = image.ShortID(img.ID())
		if whole {
			rows[0].ID = fmt.Sprint(img.ID())
		}
	}
	return rows
}

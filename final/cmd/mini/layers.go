package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/final/internal/image"
	"lab/final/internal/layer"
)

// newLayers makes `mini layers`.
func newLayers(a *app) *cobra.Command {
	var files bool
	var format string
	cmd := &cobra.Command{
		Use:     "layers [FLAGS] IMAGE",
		Short:   "Show what each layer of an image adds, shares and deletes",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := a.layersOf(args[0])
			if err != nil {
				return err
			}
			if files {
				return printChanges(cmd, rows)
			}
			return printRows(cmd.OutOrStdout(), format, rows,
				"LAYER\tSIZE\tADDS\tREPLACES\tDELETES\tSHARED WITH", func(r layerRow) string {
					return strings.Join([]string{
						r.Layer, r.Size, fmt.Sprint(r.Adds), fmt.Sprint(r.Replaces),
						fmt.Sprint(r.Deletes), r.SharedWith,
					}, "\t")
				})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&files, "files", false, "each name: A is added, C replaced, D deleted")
	flags.StringVar(&format, "format", "table", "table, json, or a template: '{{.Layer}}'")
	return cmd
}

// layerRow is a layer and what it does, the lowest being the first.
type layerRow struct {
	Layer, Size             string
	Adds, Replaces, Deletes int
	SharedWith              string
	changes                 []layer.Change
}

// layersOf looks through the layers of an image.
func (a *app) layersOf(word string) ([]layerRow, error) {
	store, img, err := a.image("layers", word)
	if err != nil {
		return nil, err
	}
	release, err := store.Hold()
	if err != nil {
		return nil, err
	}
	defer release()
	others, err := store.List()
	if err != nil {
		return nil, err
	}
	survey := layer.NewSurvey()
	rows := []layerRow{}
	for _, l := range img.Layers() {
		row := layerRow{
			Layer: image.ShortID(l.DiffID), Size: bytesText(l.Size),
			SharedWith: sharedWith(l, img, others),
		}
		if row.changes, err = surveyLayer(store, survey, l); err != nil {
			return nil, fmt.Errorf("layers %s: layer %s: %w", word, l.DiffID, err)
		}
		row.count()
		rows = append(rows, row)
	}
	return rows, nil
}

// surveyLayer reads one layer.
func surveyLayer(store *image.Store, survey *layer.Survey, l image.Layer) ([]layer.Change, error) {
	tar, err := store.Tar(l)
	if err != nil {
		return nil, err
	}
	defer tar.Close()
	return survey.Layer(tar)
}

// count counts the changes of each kind.
func (r *layerRow) count() {
	for _, c := range r.changes {
		switch c.Kind {
		case layer.Added:
			r.Adds++
		case layer.Replaced:
			r.Replaces++
		case layer.Deleted:
			r.Deletes++
		}
	}
}

// sharedWith names the other images that have a layer: it is on the disk once.
func sharedWith(l image.Layer, img *image.Image, others []*image.Image) string {
	var titles []string
	for _, other := range others {
		same := func(o image.Layer) bool { return o.DiffID == l.DiffID }
		if other.ID() != img.ID() && slices.ContainsFunc(other.Layers(), same) {
			titles = append(titles, other.Title())
		}
	}
	if len(titles) == 0 {
		return "-"
	}
	return strings.Join(titles, ", ")
}

// printChanges lists each name under its layer.
func printChanges(cmd *cobra.Command, rows []layerRow) error {
	w := cmd.OutOrStdout()
	for _, row := range rows {
		fmt.Fprintf(w, "%s  %s\n", row.Layer, row.Size)
		for _, c := range row.changes {
			fmt.Fprintf(w, "  %c %s\n", c.Kind, c.Name)
		}
	}
	return nil
}

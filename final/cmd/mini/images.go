package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/image"
)

// imagesFlags are the flags of images.
type imagesFlags struct {
	quiet, whole, digests bool
	format                string
}

// newImages makes `mini images`.
func newImages(a *app) *cobra.Command {
	var f imagesFlags
	cmd := &cobra.Command{
		Use:     "images [FLAGS] [NAME[:TAG]]",
		Short:   "List images",
		GroupID: groupImages,
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.images()
			if err == nil {
				_, err = engine.Base(store) // it is always there
			}
			if err == nil {
				err = f.print(cmd, store, strings.Join(args, ""))
			}
			if err != nil {
				return fmt.Errorf("images: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "only the IDs")
	flags.BoolVar(&f.whole, "no-trunc", false, "cut nothing short")
	flags.BoolVar(&f.digests, "digests", false, "also the digests by which registries know them")
	flags.StringVar(&f.format, "format", "table", "table, json, or a template: '{{.Repository}}'")
	return cmd
}

// imageRow is an image under one of its names, in docker's words.
type imageRow struct {
	Repository, Tag, Digest, ID, CreatedSince, CreatedAt, Size string
}

// none stands for a name or tag that an image has not.
const none = "<none>"

// print lists the images, or those of one name.
func (f *imagesFlags) print(cmd *cobra.Command, store *image.Store, only string) error {
	all, err := store.List()
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b *image.Image) int {
		return made(b).Compare(made(a))
	})
	rows := []imageRow{}
	for _, img := range all {
		for _, row := range f.rows(img) {
			if only == "" || only == row.Repository || only == row.Repository+":"+row.Tag {
				rows = append(rows, row)
			}
		}
	}
	if f.quiet {
		f.format = "{{.ID}}"
		rows = slices.CompactFunc(rows, func(a, b imageRow) bool { return a.ID == b.ID })
	}
	head := "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE"
	if f.digests {
		head = "REPOSITORY\tTAG\tDIGEST\tIMAGE ID\tCREATED\tSIZE"
	}
	return printRows(cmd.OutOrStdout(), f.format, rows, head, func(r imageRow) string {
		cells := []string{r.Repository, r.Tag, r.ID, r.CreatedSince, r.Size}
		if f.digests {
			cells = slices.Insert(cells, 2, r.Digest)
		}
		return strings.Join(cells, "\t")
	})
}

// made is when an image was made, as far as it says so.
func made(img *image.Image) time.Time {
	if img.Config.Created == nil {
		return time.Time{}
	}
	return *img.Config.Created
}

// rows describe an image, once for each of its names.
func (f *imagesFlags) rows(img *image.Image) []imageRow {
	row := imageRow{
		Repository: none, Tag: none, Digest: none, ID: image.ShortID(img.ID()),
		CreatedSince: age(img.Config.Created), Size: bytesText(img.Size()),
		CreatedAt: made(img).Local().Format("2006-01-02 15:04:05 -0700 MST"),
	}
	if f.whole {
		row.ID = img.ID().String()
	}
	if len(img.Names) == 0 {
		return []imageRow{row}
	}
	var rows []imageRow
	for _, name := range img.Names {
		mine := row
		mine.Repository = name.FamiliarName()
		if name.Tag != "" {
			mine.Tag = name.Tag
		}
		for _, remote := range img.Remote {
			if remote.Name() == name.Name() {
				mine.Digest = remote.Digest.String()
			}
		}
		rows = append(rows, mine)
	}
	return rows
}

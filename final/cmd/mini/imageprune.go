package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lab/final/internal/hint"
	"lab/final/internal/image"
)

// newImagePrune makes `mini image prune`.
func newImagePrune(a *app) *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:   "prune [-a] [-f]",
		Short: "Remove images that nobody needs",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			what := "all images that have no name and no container"
			if all {
				what = "all images that have no container"
			}
			if yes, err := agreed(cmd, force, "This removes "+what+"."); err != nil || !yes {
				return err
			}
			if err := a.pruneImages(cmd, all); err != nil {
				return fmt.Errorf("image prune: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also those that have a name")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return cmd
}

// pruneImages removes what nobody needs, and says how much that was.
func (a *app) pruneImages(cmd *cobra.Command, all bool) error {
	store, err := a.images()
	if err != nil {
		return err
	}
	freed, err := store.Collect(func(img *image.Image) (bool, error) {
		if len(img.Names) > 0 && !all {
			return false, nil
		}
		users, err := a.usersOf(img)
		return len(users) == 0, err
	})
	return printFreed(cmd, freed, err)
}

// newBuilder makes `mini builder`, which has one verb, as docker's has.
func newBuilder(a *app) *cobra.Command {
	var force bool
	prune := &cobra.Command{
		Use:   "prune [-f]",
		Short: "Remove what is kept of the steps of builds",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const what = "This makes the next build do all its steps anew."
			if yes, err := agreed(cmd, force, what); err != nil || !yes {
				return err
			}
			store, err := a.images()
			if err != nil {
				return err
			}
			if err = store.Forget(); err == nil {
				freed, collectErr := store.Collect(nil)
				err = printFreed(cmd, freed, collectErr)
			}
			if err != nil {
				return fmt.Errorf("builder prune: %w", err)
			}
			return nil
		},
	}
	prune.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	family := newFamily("builder", "The cache of builds", prune)
	family.GroupID = groupSystem
	return family
}

// printFreed says what was deleted, and how much that was.
func printFreed(cmd *cobra.Command, freed image.Freed, err error) error {
	if err != nil {
		return err
	}
	if freed.Later {
		return hint.Add(
			errors.New("images are being pulled or built: nothing was removed"),
			"once more when that is done",
		)
	}
	for _, img := range freed.Images {
		fmt.Fprintln(cmd.OutOrStdout(), "Deleted:", img.ID())
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "Total reclaimed space:", bytesText(freed.Bytes))
	return err
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/final/internal/image"
)

// newTag makes `mini tag`.
func newTag(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "tag IMAGE NAME[:TAG]",
		Short:   "Give an image one more name",
		GroupID: groupImages,
		Args:    arguments(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			store, img, err := a.image("tag", args[0])
			if err != nil {
				return err
			}
			ref, err := image.ParseReference(args[1])
			if err != nil {
				return fmt.Errorf("tag %s: %w", args[0], err)
			}
			return store.Tag(img, ref)
		},
	}
}

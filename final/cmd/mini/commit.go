package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/image"
)

// newCommit makes `mini commit`.
func newCommit(a *app) *cobra.Command {
	var o engine.Commit
	var asked []string
	cmd := &cobra.Command{
		Use:     "commit [FLAGS] CONTAINER [NAME[:TAG]]",
		Short:   "Make an image of what a container has changed",
		GroupID: groupImages,
		Args:    arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, word := range args[1:] {
				name, err := image.ParseReference(word)
				if err != nil {
					return fmt.Errorf("commit %s: %w", args[0], err)
				}
				o.Names = append(o.Names, name)
			}
			o.Change = changes(asked).apply
			e, c, err := a.one("commit", args[0])
			if err != nil {
				return err
			}
			ctx, stop := interruptible(cmd)
			defer stop()
			img, err := e.Commit(ctx, c, o)
			if err != nil {
				return about("commit", args[0], err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), img.ID())
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Author, "author", "a", "", "who has made it: 'Name <mail>'")
	flags.StringVarP(&o.Message, "message", "m", "", "what to remember of it")
	flags.StringArrayVarP(&asked, "change", "c", nil,
		"an instruction of a Dockerfile for its configuration: 'CMD [\"sh\"]'")
	flags.BoolVarP(&o.Pause, "pause", "p", true, "freeze the container meanwhile")
	return cmd
}

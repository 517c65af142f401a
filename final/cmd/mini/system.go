package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/hint"
)

// newSystem makes `mini system`.
func newSystem(a *app) *cobra.Command {
	family := newFamily("system", "What the store holds, prune it, check it",
		newSystemDf(a), newSystemPrune(a), newSystemCheck(a))
	family.GroupID = groupSystem
	return family
}

// newSystemDf makes `mini system df`.
func newSystemDf(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "df [--format FORMAT]",
		Short: "How much disk images, containers and volumes take",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine()
			var usage []engine.DiskUsage
			if err == nil {
				usage, err = e.DiskUsage()
			}
			if err == nil {
				err = printRows(cmd.OutOrStdout(), format, usage,
					"TYPE\tTOTAL\tACTIVE\tSIZE\tRECLAIMABLE", diskRow)
			}
			if err != nil {
				return fmt.Errorf("system df: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table, json, or a template: '{{.Size}}'")
	return cmd
}

// diskRow is how much of one kind there is, as a line of the table.
func diskRow(u engine.DiskUsage) string {
	share := ""
	if u.Size > 0 {
		share = fmt.Sprintf(" (%d%%)", 100*u.Reclaimable/u.Size)
	}
	return fmt.Sprintf("%s\t%d\t%d\t%s\t%s%s", u.Type, u.Total, u.Active, bytesText(u.Size),
		bytesText(u.Reclaimable), share)
}

// newSystemPrune makes `mini system prune`.
func newSystemPrune(a *app) *cobra.Command {
	var all, volumes, force bool
	cmd := &cobra.Command{
		Use:   "prune [-a] [--volumes] [-f]",
		Short: "Remove containers that do not run, what has none, and what builds keep",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			what := "all containers that do not run, networks without one, and images without " +
				"a name and a container"
			if all {
				what = "all containers that do not run, and networks and images without one"
			}
			if volumes {
				what += ", and anonymous volumes without one"
			}
			yes, err := agreed(cmd, force, "This removes "+what+".")
			if err != nil || !yes {
				return err
			}
			if err := a.pruneAll(cmd, all, volumes); err != nil {
				return fmt.Errorf("system prune: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&all, "all", "a", false, "also images that have a name")
	flags.BoolVar(&volumes, "volumes", false, "also anonymous volumes")
	flags.BoolVarP(&force, "force", "f", false, "do not ask")
	return cmd
}

// pruneAll removes what nobody needs: containers first, for they need the rest.
func (a *app) pruneAll(cmd *cobra.Command, all, volumes bool) error {
	err := a.pruneContainers(cmd)
	e, openErr := a.engine()
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	networks, openErr := e.Networks()
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	gone, networkErr := networks.Prune()
	for _, name := range gone {
		fmt.Fprintln(cmd.OutOrStdout(), "Deleted network:", name)
	}
	err = errors.Join(err, networkErr)
	if volumes {
		store, openErr := e.Volumes()
		if openErr != nil {
			return errors.Join(err, openErr)
		}
		gone, volumeErr := store.Prune(false, a.hasContainer)
		for _, name := range gone {
			fmt.Fprintln(cmd.OutOrStdout(), "Deleted volume:", name)
		}
		err = errors.Join(err, volumeErr)
	}
	images, openErr := a.images()
	if openErr == nil {
		openErr = images.Forget()
	}
	return errors.Join(err, openErr, a.pruneImages(cmd, all))
}

// newSystemCheck makes `mini system check`.
func newSystemCheck(a *app) *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "check [--repair]",
		Short: "Look for what was damaged, or left by commands that were killed",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine()
			var found []engine.Finding
			if err == nil {
				found, err = e.Check(repair)
			}
			left := 0
			for _, f := range found {
				switch {
				case f.Mended:
					fmt.Fprintln(cmd.OutOrStdout(), "mended:", f.What)
				case f.Err != nil:
					left++
					fmt.Fprintf(cmd.OutOrStdout(), "found:  %s: %v\n", f.What, f.Err)
				default:
					left++
					fmt.Fprintln(cmd.OutOrStdout(), "found: ", f.What)
				}
			}
			if err != nil {
				return fmt.Errorf("system check: %w", err)
			}
			return checked(left, repair)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what can be mended")
	return cmd
}

// checked is an error if there is something that is not mended.
func checked(left int, repair bool) error {
	switch {
	case left == 0:
		return nil
	case repair:
		return fmt.Errorf("system check: %d of these cannot be mended", left)
	}
	many := fmt.Sprintf("%d things are not as they should be", left)
	if left == 1 {
		many = "one thing is not as it should be"
	}
	return hint.Add(
		fmt.Errorf("system check: %s", many),
		"mini system check --repair",
	)
}

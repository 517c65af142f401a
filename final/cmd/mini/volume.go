package main

import (
	"os"
	"path/filepath"

	"lab/final/internal/volume"

	"github.com/spf13/cobra"
)

// newVolume makes `mini volume`.
func newVolume(a *app) *cobra.Command {
	return newFamily("volume", "Directories that outlive containers",
		newVolumeCreate(a), newVolumeList(a), newVolumeInspect(a), newVolumeRemove(a),
		newVolumePrune(a))
}

// volumes opens the store of volumes.
func (a *app) volumes() (*volume.Store, error) {
	return volume.Open(filepath.Join(a.root, "volumes"))
}

// hasContainer reports whether there is a container of this ID, running or not.
func (a *app) hasContainer(id string) bool {
	_, err := os.Stat(filepath.Join(a.root, "containers", id))
	return err == nil
}

// newVolumeCreate makes `mini volume create`.
func newVolumeCreate(a *app) *cobra.Command {
	var texts []string
	cmd := &cobra.Command{
		Use: "create [--label KEY=VALUE] [NAME]", Short: "Make a volume",
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tags, err := labels(texts)
			if err != nil {
				return err
			}
			s, err := a.volumes()
			if err != nil {
				return err
			}
			v, err := s.Create(append(args, "")[0], tags)
			if err != nil {
				return err
			}
			return eachArgument(cmd, []string{v.Name}, func(string) error { return nil })
		},
	}
	cmd.Flags().StringArrayVar(&texts, "label", nil, "something to remember, `KEY=VALUE`")
	return cmd
}

// newVolumeList makes `mini volume ls`.
func newVolumeList(a *app) *cobra.Command {
	var quiet, asJSON bool
	cmd := &cobra.Command{
		Use: "ls [-q] [--json]", Short: "List volumes", Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.volumes()
			if err != nil {
				return err
			}
			all, err := s.List()
			if err != nil || asJSON {
				return firstOf(err, func() error { return printJSON(cmd, all) })
			}
			var rows [][]string
			if !quiet {
				rows = append(rows, []string{"VOLUME NAME", "CREATED", "MOUNTPOINT"})
			}
			for _, v := range all {
				row := []string{v.Name, v.Created.Local().Format("2006-01-02 15:04"), v.Path}
				if quiet {
					row = row[:1]
				}
				rows = append(rows, row)
			}
			return printTable(cmd, rows)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "names alone")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// firstOf returns an error, or else what the function does.
func firstOf(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

// newVolumeInspect makes `mini volume inspect`.
func newVolumeInspect(a *app) *cobra.Command {
	type shown struct {
		volume.Volume
		Mountpoint string   `json:"mountpoint"`
		Users      []string `json:"users"`
	}
	return &cobra.Command{
		Use: "inspect NAME...", Short: "All that is known of volumes", Args: arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.volumes()
			if err != nil {
				return err
			}
			all := []shown{}
			for _, name := range args {
				v, err := s.Inspect(name)
				if err != nil {
					return err
				}
				users, err := s.Users(name)
				if err != nil {
					return err
				}
				all = append(all, shown{v, v.Path, users})
			}
			return printJSON(cmd, all)
		},
	}
}

// newVolumeRemove makes `mini volume rm`.
func newVolumeRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME...", Short: "Remove volumes that no container has",
		Args: arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.volumes()
			if err != nil {
				return err
			}
			return eachArgument(cmd, args, func(name string) error {
				return s.Remove(name, a.hasContainer)
			})
		},
	}
}

// newVolumePrune makes `mini volume prune`.
func newVolumePrune(a *app) *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use: "prune [-a] [-f]", Short: "Remove all anonymous volumes that no container has",
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.volumes()
			if err != nil {
				return err
			}
			warning := "This removes all anonymous volumes that no container has."
			if all {
				warning = "This removes all volumes that no container has."
			}
			if ok, err := agreed(cmd, force, warning); err != nil || !ok {
				return err
			}
			gone, err := s.Prune(all, a.hasContainer)
			return firstOf(err, func() error {
				return eachArgument(cmd, gone, func(string) error { return nil })
			})
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "those with a name, too")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return cmd
}

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/final/internal/hint"
	"lab/final/internal/image"
)

// errInUse means an image that a container is made of.
var errInUse = errors.New("the image is in use")

// newRmi makes `mini rmi`.
func newRmi(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rmi [-f] IMAGE…",
		Short:   "Remove images",
		GroupID: groupImages,
		Args:    arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			var all error
			for _, word := range args {
				if err := a.removeImage(cmd.OutOrStdout(), word, force); err != nil {
					all = errors.Join(all, err)
				}
			}
			return all
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false,
		"all names of an ID, and the names of an image that is in use")
	return cmd
}

// removeImage takes away the name that an image is called by, and with its last name the
// image.
func (a *app) removeImage(w io.Writer, word string, force bool) error {
	store, err := a.images()
	if err != nil {
		return fmt.Errorf("rmi %s: %w", word, err)
	}
	img, err := store.Resolve(word)
	if err != nil {
		return aboutImage("rmi", word, err)
	}
	names := img.Names
	ref, err := image.ParseReference(word)
	if i := slices.Index(img.Names, ref); err == nil && i >= 0 {
		names = img.Names[i : i+1]
	}
	if len(names) > 1 && !force {
		return hint.Add(
			fmt.Errorf("rmi %s: it has %d names: %s", word, len(names), joinNames(names)),
			"mini rmi NAME takes one away, mini rmi -f "+word+" all of them",
		)
	}
	if len(names) == len(img.Names) {
		return a.removeLastName(w, store, img, force)
	}
	return untag(w, store, names)
}

// removeLastName removes an image with the names that are left. One that is in use stays
// without a name, if that is wanted.
func (a *app) removeLastName(w io.Writer, store *image.Store, img *image.Image, force bool) error {
	users := []string(nil)
	freed, err := store.Collect(func(other *image.Image) (bool, error) {
		if other.Descriptor.Digest != img.Descriptor.Digest {
			return false, nil
		}
		var err error
		users, err = a.usersOf(img)
		return len(users) == 0, err
	})
	switch {
	case err != nil:
		return fmt.Errorf("rmi %s: %w", img.Title(), err)
	case len(users) > 0 && !force:
		return hint.Add(
			fmt.Errorf("rmi %s: %w by %s", img.Title(), errInUse, strings.Join(users, ", ")),
			"mini rm "+users[0]+" first",
		)
	case len(users) > 0 || freed.Later:
		return untag(w, store, img.Names)
	}
	for _, name := range img.Names {
		fmt.Fprintln(w, "Untagged:", name.Familiar())
	}
	_, err = fmt.Fprintln(w, "Deleted:", img.ID())
	return err
}

// untag takes names away. What has none any more is left for `mini image prune`.
func untag(w io.Writer, store *image.Store, names []image.Reference) error {
	for _, name := range names {
		if err := store.Untag(name); err != nil {
			return fmt.Errorf("rmi %s: %w", name.Familiar(), err)
		}
		fmt.Fprintln(w, "Untagged:", name.Familiar())
	}
	return nil
}

// joinNames lists names.
func joinNames(names []image.Reference) string {
	var all []string
	for _, name := range names {
		all = append(all, name.Familiar())
	}
	return strings.Join(all, ", ")
}

// usersOf returns the names of the containers that are made of an image.
func (a *app) usersOf(img *image.Image) ([]string, error) {
	e, err := a.engine()
	if err != nil {
		return nil, err
	}
	return e.UsersOf(img)
}

package main

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/image"
	"lab/final/internal/registry"
)

// travelFlags are the flags of verbs that speak to registries.
type travelFlags struct {
	insecure, quiet bool
	platform        string
}

// add adds those that pull and push share.
func (f *travelFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.insecure, "insecure", false,
		"also plain http, and certificates of anybody")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
}

// newPull makes `mini pull`.
func newPull(a *app) *cobra.Command {
	var f travelFlags
	cmd := &cobra.Command{
		Use:     "pull [FLAGS] NAME[:TAG|@DIGEST]",
		Short:   "Fetch an image from a registry",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			img, err := a.pull(cmd, &f, args[0])
			if err != nil {
				return err
			}
			if f.quiet {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), img.ID())
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\t%s\n", img.Title(),
				image.ShortID(img.ID()), bytesText(img.Size()))
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.platform, "platform", "", "for which machine: OS/ARCH[/VARIANT]")
	return cmd
}

// client is how a verb speaks to registries; show is nil where there is no progress.
func (f *travelFlags) client(show *progress) (*registry.Client, error) {
	c := &registry.Client{Insecure: f.insecure, Credentials: registry.DefaultCredentials()}
	if show != nil {
		c.Progress = show.report
	}
	if f.platform != "" {
		words := append(strings.SplitN(f.platform, "/", 3), "", "")
		if words[1] == "" {
			return nil, fmt.Errorf("%w: --platform %q is not OS/ARCH", errUsage, f.platform)
		}
		c.Platform = v1.Platform{OS: words[0], Architecture: words[1], Variant: words[2]}
	}
	return c, nil
}

// pull fetches an image and gives it its name.
func (a *app) pull(cmd *cobra.Command, f *travelFlags, word string) (*image.Image, error) {
	ref, err := image.ParseReference(word)
	if err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	store, err := a.images()
	if err != nil {
		return nil, err
	}
	release, err := store.Hold()
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, stop := interruptible(cmd)
	defer stop()
	show := newProgress(cmd.ErrOrStderr(), f.quiet)
	client, err := f.client(show)
	if err != nil {
		return nil, err
	}
	pulled, err := client.Pull(ctx, ref.String(), store)
	show.end()
	if err != nil {
		return nil, err
	}
	img, err := store.Add(pulled.Manifest, pulled.Remote, ref)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", word, err)
	}
	return img, nil
}

// When to pull the image of a container.
const (
	pullMissing = "missing"
	pullAlways  = "always"
	pullNever   = "never"
)

// fetch pulls the image of a container to be, if that is wanted. The built-in one comes
// from nowhere.
func (a *app) fetch(cmd *cobra.Command, word, when string) error {
	switch when {
	case pullNever:
		return nil // then it is here, or the engine says that it is not
	case pullMissing, pullAlways:
	default:
		return fmt.Errorf("%w: --pull %q is none of missing, always, never", errUsage, when)
	}
	store, err := a.images()
	if err != nil {
		return err
	}
	_, err = engine.FindImage(store, word)
	missing := errors.Is(err, image.ErrNotFound)
	if engine.IsBase(word) || when == pullMissing && !missing {
		return nil // also where it cannot be read: the engine says why
	}
	if _, err := a.pull(cmd, &travelFlags{}, word); err != nil && missing {
		return fmt.Errorf("no image %q here: %w", word, err)
	} else if err != nil {
		return err
	}
	return nil
}

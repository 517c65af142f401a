package main

import (
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"lab/final/internal/image"
	"lab/final/internal/registry"
)

// newPush makes `mini push`.
func newPush(a *app) *cobra.Command {
	var f travelFlags
	cmd := &cobra.Command{
		Use:     "push [FLAGS] NAME[:TAG]",
		Short:   "Bring an image to a registry",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.push(cmd, a, args[0]) },
	}
	f.add(cmd)
	return cmd
}

// push brings an image to the registry that its name begins with.
func (f *travelFlags) push(cmd *cobra.Command, a *app, word string) error {
	ref, err := image.ParseReference(word)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	if ref.Digest != "" {
		return fmt.Errorf("push %s: %w: a digest cannot be given", word, errUsage)
	}
	store, img, err := a.image("push", word)
	if err != nil {
		return err
	}
	release, err := store.Hold()
	if err != nil {
		return err
	}
	defer release()
	ctx, stop := interruptible(cmd)
	defer stop()
	show := newProgress(cmd.ErrOrStderr(), f.quiet)
	client, err := f.client(show)
	if err != nil {
		return err
	}
	err = client.Push(ctx, ref.String(), registry.Source{
		Manifest: img.Descriptor,
		Open:     func(d digest.Digest) (io.ReadCloser, error) { return store.Blob(d) },
	})
	show.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", ref.Familiar(), img.Descriptor.Digest)
	return err
}

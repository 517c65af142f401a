package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lab/final/internal/image"
)

// newLoad makes `mini load`.
func newLoad(a *app) *cobra.Command {
	var input string
	var quiet bool
	cmd := &cobra.Command{
		Use:     "load [-i FILE]",
		Short:   "Take in the images of an archive, of docker's kind or OCI's",
		GroupID: groupImages,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			images, err := a.load(ctx, input)
			if err != nil || quiet {
				return err
			}
			for _, img := range images {
				for _, name := range img.As {
					fmt.Fprintln(cmd.OutOrStdout(), "Loaded image:", name.Familiar())
				}
				if len(img.As) == 0 {
					fmt.Fprintln(cmd.OutOrStdout(), "Loaded image ID:", img.ID())
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&input, "input", "i", "-", "the archive; - is standard input")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "say nothing")
	return cmd
}

// load takes in an archive.
func (a *app) load(ctx context.Context, input string) ([]image.Saved, error) {
	store, err := a.images()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	r, err := openInput(ctx, input)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return store.Load(r)
}

// openInput opens a file, or standard input, to be read until a context ends.
func openInput(ctx context.Context, path string) (io.ReadCloser, error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return readUntil(ctx, file), nil
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, fmt.Errorf("%w: an archive cannot be typed: name a file", errUsage)
	}
	return readUntil(ctx, os.Stdin), nil
}

// newImport makes `mini import`.
func newImport(a *app) *cobra.Command {
	var message, platform string
	cmd := &cobra.Command{
		Use:     "import [FLAGS] FILE|- [NAME[:TAG]]",
		Short:   "Make an image of the tar of a root file system",
		GroupID: groupImages,
		Args:    arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := importConfig(args[0], message, platform)
			if err != nil {
				return err
			}
			ctx, stop := interruptible(cmd)
			defer stop()
			img, err := a.importTar(ctx, config, args)
			if err != nil {
				return fmt.Errorf("import %s: %w", args[0], err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), img.ID())
			return err
		},
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "what to remember of it")
	cmd.Flags().StringVar(&platform, "platform", "", "for which machine: OS/ARCH[/VARIANT]")
	return cmd
}

// importConfig is the configuration of an imported image.
func importConfig(from, message, platform string) (image.Config, error) {
	now := time.Now().UTC()
	c := image.Config{}
	c.Created = &now
	c.History = []v1.History{{Created: &now, CreatedBy: "mini import " + from, Comment: message}}
	if platform == "" {
		return c, nil
	}
	words := append(strings.SplitN(platform, "/", 3), "", "")
	if words[1] == "" {
		return c, fmt.Errorf("%w: --platform %q is not OS/ARCH", errUsage, platform)
	}
	c.OS, c.Architecture, c.Variant = words[0], words[1], words[2]
	return c, nil
}

// importTar makes the image.
func (a *app) importTar(ctx context.Context, config image.Config, args []string) (
	*image.Image, error,
) {
	var names []image.Reference
	if len(args) > 1 {
		ref, err := image.ParseReference(args[1])
		if err != nil {
			return nil, err
		}
		names = append(names, ref)
	}
	store, err := a.images()
	if err != nil {
		return nil, err
	}
	r, err := openInput(ctx, args[0])
	if err != nil {
		return nil, err
	}
	return store.Import(r, config, names...)
}

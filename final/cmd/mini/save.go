package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/image"
)

// newSave makes `mini save`.
func newSave(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "save [-o FILE] IMAGE…",
		Short:   "Write images to an archive, which docker and OCI tools read, too",
		GroupID: groupImages,
		Args:    arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.save(cmd, output, args); err != nil {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "the file, instead of standard output")
	return cmd
}

// save writes an archive to a file or to standard output.
func (a *app) save(cmd *cobra.Command, output string, words []string) error {
	store, err := a.images()
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	release, err := store.Hold()
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	defer release()
	images, err := a.toSave(words)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, 1<<20)
		return errors.Join(store.Save(buffered, images), buffered.Flush())
	}
	if output != "" {
		err = writeWhole(cmd, output, write)
	} else if err = notForTerminal(); err == nil {
		err = write(cmd.OutOrStdout())
	}
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return nil
}

// toSave finds the images, and under which names they are wanted. Two names of one image
// are two names of one entry.
func (a *app) toSave(words []string) ([]image.Saved, error) {
	var all []image.Saved
	for _, word := range words {
		_, img, err := a.image("save", word)
		if err != nil {
			return nil, err
		}
		var as []image.Reference
		ref, err := image.ParseReference(word)
		if err == nil && slices.Contains(img.Names, ref) {
			as = append(as, ref)
		}
		i := slices.IndexFunc(all, func(s image.Saved) bool { return s.ID() == img.ID() })
		if i < 0 {
			all = append(all, image.Saved{Image: img, As: as})
		} else {
			all[i].As = append(all[i].As, as...)
		}
	}
	return all, nil
}

// writeWhole writes a file wholly or not at all, whoever interrupts it.
func writeWhole(cmd *cobra.Command, path string, write func(io.Writer) error) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = write(engine.WriteUntil(ctx, f))
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lab/final/internal/hint"
)

// newExport makes `mini export`.
func newExport(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "export [-o FILE] CONTAINER",
		Short:   "Write all files of a container as a tar, which mini import reads",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, c, err := a.one("export", args[0])
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return e.Export(c, w) }
			if output != "" {
				err = writeWhole(cmd, output, write)
			} else if err = notForTerminal(); err == nil {
				err = write(cmd.OutOrStdout())
			}
			if err != nil {
				return about("export", args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "the file, instead of standard output")
	return cmd
}

// notForTerminal refuses to write an archive to a terminal.
func notForTerminal() error {
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		return nil
	}
	return hint.Add(
		fmt.Errorf("%w: an archive is nothing for a terminal", errUsage),
		"write it to a file: > FILE",
	)
}

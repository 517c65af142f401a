package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/hint"
)

// errSides means a copy that is not between a container and this host.
var errSides = errors.New("one of the two names is in a container: CONTAINER:PATH")

// newCp makes `mini cp`.
func newCp(a *app) *cobra.Command {
	var o engine.Copy
	cmd := &cobra.Command{
		Use:     "cp [-a] [-L] CONTAINER:FROM TO|-  or  FROM|- CONTAINER:TO",
		Short:   "Copy files into a container or out of it",
		GroupID: groupContainers,
		Long: `Copy a file or directory into a container or out of it, be it running or not. Where
TO is a directory, the copy gets the name that it has; FROM/. is what is in a directory.
With - in place of a name of this host a tar is read from standard input and unpacked
with the owners that it names, or written to standard output.

Links are followed as the container would, and never lead out of it. Of what the kernel
keeps for it in memory, in /proc, /sys, /dev and tmpfs mounts, nothing can be copied.`,
		Args: arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.copyFiles(cmd, args[0], args[1], o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Owners, "archive", "a", false,
		"keep owners, set-user-ID bits, capabilities and devices")
	flags.BoolVarP(&o.Follow, "follow-link", "L", false, "copy what FROM leads to, if it is a link")
	return cmd
}

// copyFiles copies one way or the other.
func (a *app) copyFiles(cmd *cobra.Command, from, to string, o engine.Copy) error {
	source, name, out := inContainer(from)
	target, place, in := inContainer(to)
	if in == out || name+place == "" {
		return hint.Add(fmt.Errorf("%w: %w", errUsage, errSides), cmd.UseLine())
	}
	e, c, err := a.one("cp", source+target)
	if err != nil {
		return err
	}
	switch {
	case out && to == "-":
		if err = notForTerminal(); err == nil {
			err = e.Archive(c, name, cmd.OutOrStdout(), o)
		}
	case in && from == "-":
		err = extract(e, c, place, cmd.InOrStdin())
	case out:
		err = e.CopyOut(c, name, absolute(to), o)
	default:
		err = e.CopyIn(c, absolute(from), place, o)
	}
	if err != nil {
		return about("cp", from, err)
	}
	return nil
}

// extract unpacks a tar, and reads it to its end: whoever writes it is not to fail.
func extract(e *engine.Engine, c *engine.Container, place string, r io.Reader) error {
	err := e.Extract(c, place, r)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return err
}

// inContainer parts CONTAINER:PATH. What begins with a slash or a dot is of this host.
func inContainer(word string) (container, path string, ok bool) {
	container, path, ok = strings.Cut(word, ":")
	if !ok || strings.HasPrefix(word, "/") || strings.HasPrefix(word, ".") {
		return "", "", false
	}
	return container, path, true
}

// absolute is a name of this host from its root. It is not cleaned: a slash or a dot at
// its end means something, and what .. means depends on links.
func absolute(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	here, err := os.Getwd()
	if err != nil {
		return name // it says what is wrong by itself
	}
	return here + "/" + name
}

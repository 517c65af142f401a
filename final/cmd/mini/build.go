package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"lab/final/internal/build"
	"lab/final/internal/engine"
	"lab/final/internal/hint"
	"lab/final/internal/image"
	"lab/final/internal/network"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// buildFlags are the flags of `mini build`.
type buildFlags struct {
	file, target, progress, network, pull string
	tags, args                            []string
	noCache, quiet                        bool
}

// newBuild makes `mini build`.
func newBuild(a *app) *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:     "build [FLAGS] DIR",
		Short:   "Make an image of a Dockerfile and a directory",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			img, err := f.build(ctx, cmd, a, args[0])
			if err != nil && ctx.Err() != nil {
				return withStatus{errInterrupted, interrupted}
			}
			if err != nil {
				return fmt.Errorf("build: %w", err)
			}
			if f.quiet {
				fmt.Fprintln(cmd.OutOrStdout(), img.ID())
				return nil
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is %s\n", img.Title(), img.ID())
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "file", "f", "",
		"the Dockerfile, DIR/Dockerfile if none; - is the standard input")
	flags.StringArrayVarP(&f.tags, "tag", "t", nil, "`NAME[:TAG]` of the image")
	flags.StringArrayVar(&f.args, "build-arg", nil, "value of an ARG, `NAME=VALUE`")
	flags.StringVar(&f.target, "target", "", "the `STAGE` to build; the last one if none")
	flags.BoolVar(&f.noCache, "no-cache", false, "do all steps anew")
	flags.StringVar(&f.network, "network", network.Default,
		"what RUN can reach: bridge, none, host or a network's name")
	flags.StringVar(&f.pull, "pull", pullMissing,
		"whether to pull the image of FROM: missing, always or never")
	flags.Lookup("pull").NoOptDefVal = pullAlways
	flags.StringVar(&f.progress, "progress", "auto", "how it is shown: auto, plain or tty")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print the image's ID alone")
	return cmd
}

// errInterrupted means that somebody has pressed Ctrl-C.
var errInterrupted = errors.New("build: interrupted; the next build goes on with what was done")

// build builds.
func (f buildFlags) build(ctx context.Context, cmd *cobra.Command, a *app, dir string) (
	*image.Image, error,
) {
	text, ignore, err := f.dockerfile(dir)
	if err != nil {
		return nil, err
	}
	file, err := build.Parse(text)
	if err != nil {
		return nil, err
	}
	e, err := a.engine()
	if err != nil {
		return nil, err
	}
	b := build.Builder{
		Runner: runner{e, f.network}, Target: f.target, NoCache: f.noCache,
		Base: func(s *image.Store, name string) (*image.Image, error) {
			if err := a.fetch(cmd, name, f.pull); err != nil {
				return nil, err
			}
			return engine.FindImage(s, name)
		},
	}
	if b.Progress, err = f.show(cmd.ErrOrStderr()); err != nil {
		return nil, err
	}
	if b.Images, err = e.Images(); err != nil {
		return nil, err
	}
	if b.Args, err = build.ParseArgs(f.args, os.LookupEnv); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if b.Epoch, err = epoch(); err != nil {
		return nil, err
	}
	for _, tag := range f.tags {
		name, err := image.ParseReference(tag)
		if err != nil {
			return nil, err
		}
		b.Names = append(b.Names, name)
	}
	if b.Directory, err = build.OpenDirectory(dir, ignore...); err != nil {
		return nil, err
	}
	defer b.Directory.Close()
	return b.Build(ctx, file)
}

// dockerfile reads the Dockerfile, and says where it may stand what is to be ignored.
func (f buildFlags) dockerfile(dir string) (text []byte, ignore []string, err error) {
	ignore = []string{filepath.Join(dir, ".dockerignore")}
	if f.file == "-" {
		text, err = io.ReadAll(os.Stdin)
		return text, ignore, err
	}
	name := f.file
	if name == "" {
		name = filepath.Join(dir, "Dockerfile")
	}
	text, err = os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && f.file == "" {
		return nil, nil, hint.Add(err, "-f FILE names another one")
	}
	return text, append([]string{name + ".dockerignore"}, ignore...), err
}

// show chooses how the build is shown.
func (f buildFlags) show(out io.Writer) (build.Progress, error) {
	file, isFile := out.(*os.File)
	onTerminal := isFile && term.IsTerminal(int(file.Fd()))
	switch {
	case f.quiet:
		return &build.Plain{Out: io.Discard}, nil
	case f.progress == "plain", f.progress == "auto" && !onTerminal:
		return &build.Plain{Out: out}, nil
	case f.progress == "auto":
		return build.NewTerminal(out, int(file.Fd())), nil
	case f.progress == "tty" && onTerminal:
		return build.NewTerminal(out, int(file.Fd())), nil
	case f.progress == "tty":
		return nil, errors.New("--progress tty: this is no terminal")
	}
	return nil, fmt.Errorf("%w: --progress %q: expected auto, plain or tty", errUsage, f.progress)
}

// epoch is SOURCE_DATE_EPOCH, the seconds that no date in the image is to be later than.
func epoch() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q: expected seconds since 1970", text)
	}
	return time.Unix(seconds, 0), nil
}

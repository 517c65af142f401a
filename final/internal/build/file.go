package build

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// File is a Dockerfile that was understood.
type File struct {
	stages []instructions.Stage
	global []instructions.ArgCommand // the ARGs before the first FROM
	escape rune
}

// Parse reads a Dockerfile.
func Parse(text []byte) (*File, error) {
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, located(err)
	}
	f := &File{escape: parsed.EscapeToken}
	f.stages, f.global, err = instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, located(err)
	}
	if len(f.stages) == 0 {
		return nil, errors.New("no FROM in it")
	}
	for _, s := range f.stages {
		for _, c := range s.Commands {
			if err := supported(c); err != nil {
				return nil, atLine(c.Location(), err)
			}
		}
	}
	return f, nil
}

// supported refuses flags that this package does not know what to do with.
func supported(c instructions.Command) error {
	refuse := func(flag string, used bool) error {
		if !used {
			return nil
		}
		return fmt.Errorf("%s %s is not supported", strings.ToUpper(c.Name()), flag)
	}
	switch c := c.(type) {
	case *instructions.RunCommand:
		if len(c.FlagsUsed) > 0 {
			return refuse("--"+c.FlagsUsed[0], true)
		}
		single := len(c.Files) == 1 && len(c.CmdLine) == 1 && strings.HasPrefix(c.CmdLine[0], "<<")
		return refuse("of a script with an interpreter of its own",
			single && strings.HasPrefix(c.Files[0].Data, "#!"))
	case *instructions.CopyCommand:
		return errors.Join(refuse("--link", c.Link), refuse("--parents", c.Parents),
			refuse("--exclude", len(c.ExcludePatterns) > 0))
	case *instructions.AddCommand:
		remote := slices.ContainsFunc(c.SourcePaths, isRemote)
		return errors.Join(refuse("--link", c.Link), refuse("--checksum", c.Checksum != ""),
			refuse("--keep-git-dir", c.KeepGitDir != nil), refuse("--unpack", c.Unpack != nil),
			refuse("--exclude", len(c.ExcludePatterns) > 0),
			refuse("of something that is not local", remote))
	}
	return nil
}

// isRemote reports whether ADD would have to fetch a source.
func isRemote(source string) bool {
	return strings.Contains(source, "://") || strings.HasPrefix(source, "git@")
}

// platformArgs are the variables that are there without being given.
func platformArgs() variables {
	os, arch := "linux", runtime.GOARCH
	var v variables
	for _, kind := range []string{"BUILD", "TARGET"} {
		v = append(v, kind+"PLATFORM="+os+"/"+arch, kind+"OS="+os, kind+"ARCH="+arch)
	}
	return v
}

// globals are the values of the ARGs before the first FROM.
func (f *File) globals(args map[string]string) (variables, error) {
	v := platformArgs()
	for _, a := range f.global {
		for _, arg := range a.Args {
			value := arg.ValueString()
			if given, ok := args[arg.Key]; ok {
				value = given
			} else if arg.Value != nil {
				var err error
				if value, err = f.expand(value, v); err != nil {
					return nil, atLine(a.Location(), err)
				}
			} else if _, known := v.Get(arg.Key); known {
				continue
			}
			v = v.set(arg.Key, value)
		}
	}
	return v, nil
}

// Base is what a stage begins with: an earlier one, an image, or nothing at all.
type Base struct {
	Stage int    // -1 if it is none
	Image string // a name, or "scratch"
}

// base works out what a stage begins with.
func (f *File) base(stage int, globals variables) (Base, error) {
	s := f.stages[stage]
	name, err := f.expand(s.BaseName, globals)
	if err != nil {
		return Base{}, atLine(s.Location, err)
	}
	if name == "" {
		return Base{}, atLine(s.Location, fmt.Errorf("FROM %s: the name is empty", s.BaseName))
	}
	platform, err := f.expand(s.Platform, globals)
	if err != nil {
		return Base{}, atLine(s.Location, err)
	}
	if ours, _ := globals.Get("TARGETPLATFORM"); platform != "" && platform != ours {
		err := fmt.Errorf("FROM --platform=%s: only %s can be built here", platform, ours)
		return Base{}, atLine(s.Location, err)
	}
	if i, ok := instructions.HasStage(f.stages[:stage], name); ok {
		return Base{Stage: i}, nil
	}
	return Base{Stage: -1, Image: name}, nil
}

// target finds the stage that is to be built, by name or number; the last one if none is
// asked for.
func (f *File) target(name string) (int, error) {
	if name == "" {
		return len(f.stages) - 1, nil
	}
	if i, ok := instructions.HasStage(f.stages, name); ok {
		return i, nil
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(f.stages) {
		return i, nil
	}
	return 0, fmt.Errorf("there is no stage %q", name)
}

// source finds what COPY --from means, of which the stages before it are a part.
func (f *File) source(stage int, from string) Base {
	if i, err := f.target(from); err == nil && from != "" && i < stage {
		return Base{Stage: i}
	}
	return Base{Stage: -1, Image: from}
}

// steps counts the instructions of a stage that are steps: an ARG is none.
func (f *File) steps(stage int) (n int) {
	for _, c := range f.stages[stage].Commands {
		if _, isArg := c.(*instructions.ArgCommand); !isArg {
			n++
		}
	}
	return n
}

// needed lists the stages that a target takes, in order.
func (f *File) needed(target int, globals variables) ([]int, error) {
	wanted := map[int]bool{target: true}
	for i := target; i >= 0; i-- {
		if !wanted[i] {
			continue
		}
		base, err := f.base(i, globals)
		if err != nil {
			return nil, err
		}
		wanted[base.Stage] = true
		for _, c := range f.stages[i].Commands {
			if c, ok := c.(*instructions.CopyCommand); ok && c.From != "" {
				wanted[f.source(i, c.From).Stage] = true
			}
		}
	}
	var stages []int
	for i := range f.stages {
		if wanted[i] {
			stages = append(stages, i)
		}
	}
	return stages, nil
}

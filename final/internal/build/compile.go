package build

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"lab/final/internal/image"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Step is one instruction with everything in it that was a variable.
type Step struct {
	Line   int          `json:"-"`
	Text   string       `json:"-"` // as it stands in the file, in one line
	Run    *Run         `json:"run,omitempty"`
	Copy   *Copy        `json:"copy,omitempty"`
	Mkdir  string       `json:"mkdir,omitempty"` // a directory that has to be there
	Config image.Config `json:"-"`               // of an image that ends here
}

// changesFiles reports whether a step may make a layer.
func (s Step) changesFiles() bool { return s.Run != nil || s.Copy != nil || s.Mkdir != "" }

// Run is a command that changes files.
type Run struct {
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	User string   `json:"user,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}

// Copy is files that come from elsewhere.
type Copy struct {
	From    *Base             `json:"from,omitempty"` // none: the directory that is built from
	Sources []string          `json:"sources,omitempty"`
	Texts   map[string]string `json:"texts,omitempty"` // files that stand in the Dockerfile
	Dest    string            `json:"dest"`            // absolute; a slash ends a directory
	Chown   string            `json:"chown,omitempty"`
	Chmod   string            `json:"chmod,omitempty"`
	Unpack  bool              `json:"unpack,omitempty"` // a tar among the sources is unpacked
}

// compiler goes through the instructions of one stage.
type compiler struct {
	file    *File
	stage   int
	given   map[string]string // --build-arg
	globals variables
	used    map[string]bool // of the given ones

	args   variables // ARGs that were declared so far
	config image.Config
	shell  []string
	hasCmd bool // this stage has a CMD, so that ENTRYPOINT does not take it away
}

// compile makes the steps of a stage that begins with an image of this configuration.
func (f *File) compile(stage int, base image.Config, given map[string]string,
	used map[string]bool,
) ([]Step, error) {
	globals, err := f.globals(given)
	if err != nil {
		return nil, err
	}
	c := &compiler{
		file: f, stage: stage, given: given, globals: globals, used: used,
		config: clone(base), shell: base.Config.Shell,
	}
	if len(c.shell) == 0 {
		c.shell = []string{"/bin/sh", "-c"}
	}
	commands, err := c.triggers()
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, command := range append(commands, f.stages[stage].Commands...) {
		s, err := c.step(command)
		if err != nil {
			return nil, atLine(command.Location(), err)
		}
		if s != nil {
			s.Config = clone(c.config)
			steps = append(steps, *s)
		}
	}
	return steps, nil
}

// clone copies a configuration, of which the next step changes parts.
func clone(c image.Config) image.Config {
	c.Config.Env = slices.Clone(c.Config.Env)
	c.Config.OnBuild = slices.Clone(c.Config.OnBuild)
	c.Config.Labels = maps.Clone(c.Config.Labels)
	c.Config.Volumes = maps.Clone(c.Config.Volumes)
	c.Config.ExposedPorts = maps.Clone(c.Config.ExposedPorts)
	c.History = slices.Clone(c.History)
	return c
}

// triggers reads the instructions that the base image keeps for who builds on it. They
// are not handed on.
func (c *compiler) triggers() ([]instructions.Command, error) {
	var commands []instructions.Command
	for _, text := range c.config.Config.OnBuild {
		parsed, err := parser.Parse(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("ONBUILD %s: %w", text, err)
		}
		for _, node := range parsed.AST.Children {
			command, err := instructions.ParseCommand(node)
			if err == nil {
				err = supported(command)
			}
			if err != nil {
				return nil, fmt.Errorf("ONBUILD %s: %w", text, err)
			}
			commands = append(commands, command)
		}
	}
	c.config.Config.OnBuild = nil
	return commands, nil
}

// visible are the variables that an instruction may use.
func (c *compiler) visible() variables {
	return append(slices.Clone(c.args), c.config.Config.Env...)
}

// step makes a step of an instruction, and changes the configuration. It returns none for
// what leaves no trace.
func (c *compiler) step(command instructions.Command) (*Step, error) {
	if e, ok := command.(instructions.SupportsSingleWordExpansion); ok {
		v := c.visible()
		err := e.Expand(func(word string) (string, error) { return c.file.expand(word, v) })
		if err != nil {
			return nil, err
		}
	}
	s := &Step{Text: oneLine(fmt.Sprint(command))}
	if at := command.Location(); len(at) > 0 {
		s.Line = at[0].Start.Line
	}
	switch command := command.(type) {
	case *instructions.ArgCommand:
		c.arg(command)
		return nil, nil //nolint:nilnil // it leaves no trace
	case *instructions.RunCommand:
		s.Run = c.run(command)
	case *instructions.CopyCommand:
		return s, c.copyFiles(s, command.SourcesAndDest, Copy{
			Chown: command.Chown, Chmod: command.Chmod, From: c.from(command.From),
		})
	case *instructions.AddCommand:
		return s, c.copyFiles(s, command.SourcesAndDest, Copy{
			Chown: command.Chown, Chmod: command.Chmod, Unpack: true,
		})
	case *instructions.WorkdirCommand:
		s.Mkdir = c.absolute(command.Path)
		c.config.Config.WorkingDir = s.Mkdir
	default:
		return s, c.configure(command)
	}
	return s, nil
}

// oneLine shortens an instruction to what fits in one line of a list.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// arg declares variables that a build may be given.
func (c *compiler) arg(command *instructions.ArgCommand) {
	for _, arg := range command.Args {
		value, known := c.given[arg.Key]
		if known {
			c.used[arg.Key] = true
		} else if arg.Value != nil {
			value, known = *arg.Value, true
		} else {
			value, known = c.globals.Get(arg.Key)
		}
		if known {
			c.args = c.args.set(arg.Key, value)
		}
	}
}

// run works out a command. The shell sees the ARGs as variables, too; ENV counts more.
func (c *compiler) run(command *instructions.RunCommand) *Run {
	args := slices.Clone(command.CmdLine)
	if len(command.Files) > 0 {
		args = []string{heredoc(command.ShellDependantCmdLine)}
	}
	if command.PrependShell {
		args = append(slices.Clone(c.shell), args...)
	}
	return &Run{
		Args: args, Env: c.environment(), User: c.config.Config.User,
		Dir: c.config.Config.WorkingDir,
	}
}

// environment is what a command sees: what was declared by ARG, under what is set by ENV.
func (c *compiler) environment() []string {
	env := variables{}
	for _, variable := range c.visible() {
		name, value, _ := strings.Cut(variable, "=")
		env = env.set(name, value)
	}
	return env
}

// heredoc gives the shell its command with the text that belongs to it. Where there is
// nothing but text, that is the command.
//
//	RUN <<EOF        RUN cat <<EOF >file
//	true             hello
//	EOF              EOF
func heredoc(c instructions.ShellDependantCmdLine) string {
	if len(c.Files) == 1 && len(c.CmdLine) == 1 && strings.HasPrefix(c.CmdLine[0], "<<") {
		if c.Files[0].Chomp {
			return parser.ChompHeredocContent(c.Files[0].Data)
		}
		return c.Files[0].Data
	}
	var whole strings.Builder
	whole.WriteString(c.CmdLine[0])
	for _, f := range c.Files {
		whole.WriteString("\n" + f.Data + f.Name)
	}
	return whole.String()
}

// from is where COPY takes files from; the directory that is built from has no name.
func (c *compiler) from(name string) *Base {
	if name == "" {
		return nil
	}
	base := c.file.source(c.stage, name)
	return &base
}

// absolute puts a path that is relative below the working directory.
func (c *compiler) absolute(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join("/", c.config.Config.WorkingDir, p)
}

// copyFiles completes what COPY and ADD have in common.
func (c *compiler) copyFiles(s *Step, what instructions.SourcesAndDest, to Copy) error {
	to.Sources = what.SourcePaths
	for _, file := range what.SourceContents {
		if to.Texts == nil {
			to.Texts = map[string]string{}
		}
		text := file.Data
		if file.Expand {
			var err error
			if text, err = c.file.expand(text, c.visible()); err != nil {
				return err
			}
		}
		to.Texts[file.Path] = text
	}
	if to.Chmod != "" {
		if _, err := strconv.ParseUint(to.Chmod, 8, 12); err != nil {
			return fmt.Errorf("--chmod=%s: expected octal digits", to.Chmod)
		}
	}
	dir := strings.HasSuffix(what.DestPath, "/") || path.Base(what.DestPath) == "."
	to.Dest = c.absolute(what.DestPath)
	if dir && to.Dest != "/" {
		to.Dest += "/"
	}
	if len(to.Sources)+len(to.Texts) > 1 && !strings.HasSuffix(to.Dest, "/") {
		return errors.New("several sources need a directory: end the last word with a slash")
	}
	s.Copy = &to
	return nil
}

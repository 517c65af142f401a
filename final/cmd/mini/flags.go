package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"lab/final/internal/engine"
)

// containerFlags are the flags of run and create: what a new container is to be.
type containerFlags struct {
	asked      engine.Request
	envFiles   []string
	env        []string
	entrypoint string
	tmpfs      []string
	labels     []string
	rootfs     string
	limits     limitFlags
	host       hostFlags
	health     healthFlags
	pull       string
}

// add adds them.
func (f *containerFlags) add(flags *pflag.FlagSet) {
	r := &f.asked
	flags.StringVar(&r.Name, "name", "", "its name; one is made up if none is given")
	flags.BoolVar(&r.HostConfig.AutoRemove, "rm", false, "remove it when it has ended")
	flags.BoolVarP(&r.Config.OpenStdin, "interactive", "i", false, "keep its input open")
	flags.BoolVarP(&r.Config.Tty, "tty", "t", false, "give it a terminal")
	f.addEnv(flags)
	flags.StringVarP(&r.Config.WorkingDir, "workdir", "w", "", "the directory of its command")
	flags.StringVarP(&r.Config.User, "user", "u", "", "who it runs as: NAME|UID[:GROUP|GID]")
	flags.StringVarP(&r.Config.Hostname, "hostname", "h", "", "its host name")
	flags.StringVar(&f.entrypoint, "entrypoint", "", "the program in place of the image's own")
	flags.StringVar(&f.rootfs, "rootfs", "", "in place of an image: DIR, or layers TOP:…:BOTTOM")
	flags.StringVar(&r.Upper, "upper", "", "with --rootfs: where its changes go")
	flags.BoolVar(&r.HostConfig.ReadonlyRootfs, "read-only", false, "forbid writing to its root")
	flags.StringArrayVar(&f.tmpfs, "tmpfs", nil, "a directory in memory: DIR[:OPTIONS]")
	flags.StringArrayVarP(&f.labels, "label", "l", nil, "a label, NAME=VALUE or NAME")
	f.limits.add(flags, r)
	f.host.add(flags, r)
	f.health.add(flags)
	flags.BoolVar(&r.HostConfig.Init, "init", false,
		"put a first process before its command that passes signals on and reaps")
	flags.StringVar(&f.pull, "pull", pullMissing,
		"whether to pull the image: missing, always or never")
	flags.Bool("help", false, "show this") // -h is the host name's
}

// addEnv adds those of variables.
func (f *containerFlags) addEnv(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.env, "env", "e", nil,
		"a variable, NAME=VALUE, or NAME for the one here")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "a file with a variable a line")
}

// request is what the flags and the arguments behind them ask for.
func (f *containerFlags) request(flags *pflag.FlagSet, args []string) (engine.Request, error) {
	r := f.asked
	switch {
	case f.rootfs != "":
		r.Rootfs, r.Args = strings.Split(f.rootfs, ":"), args
	case r.Upper != "":
		return r, fmt.Errorf("%w: --upper goes with --rootfs: an image's container has its own",
			errUsage)
	default:
		r.Image, r.Args = args[0], args[1:]
	}
	if flags.Changed("entrypoint") {
		r.Entrypoint = &f.entrypoint
	}
	err := f.limits.read(flags, &r)
	if err == nil {
		err = f.host.read(&r)
	}
	if err == nil {
		err = f.health.read(flags, &r)
	}
	if err != nil {
		return r, err
	}
	if r.Config.Env, err = f.variables(); err != nil {
		return r, err
	}
	r.Config.Labels = map[string]string{}
	for _, text := range f.labels {
		name, value, _ := strings.Cut(text, "=")
		r.Config.Labels[name] = value
	}
	for _, text := range f.tmpfs {
		place, options, _ := strings.Cut(text, ":")
		if !strings.HasPrefix(place, "/") {
			return r, fmt.Errorf("--tmpfs %q: %q is not an absolute path", text, place)
		}
		if r.HostConfig.Tmpfs == nil {
			r.HostConfig.Tmpfs = map[string]string{}
		}
		r.HostConfig.Tmpfs[place] = options
	}
	return r, nil
}

// variables are those of --env-file and then those of --env.
func (f *containerFlags) variables() ([]string, error) {
	var all []string
	for _, path := range f.envFiles {
		more, err := readVariables(path)
		if err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
		all = append(all, more...)
	}
	for _, text := range f.env {
		more, err := variable(text)
		if err != nil {
			return nil, fmt.Errorf("--env: %w", err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// readVariables reads a file:
//
//	# a comment
//	NAME=a value, with blanks and "quotes" as they are
//	HOME
func readVariables(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []string
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimLeft(lines.Text(), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		more, err := variable(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		all = append(all, more...)
	}
	return all, lines.Err()
}

// variable is NAME=VALUE, or NAME for the one of our own environment, if it is there.
func variable(text string) ([]string, error) {
	name, _, given := strings.Cut(text, "=")
	if name == "" || strings.ContainsAny(name, " \t") {
		return nil, fmt.Errorf("%w: %q does not begin with a variable's name", errUsage, text)
	}
	if given {
		return []string{text}, nil
	}
	if value, ok := os.LookupEnv(name); ok {
		return []string{name + "=" + value}, nil
	}
	return nil, nil
}

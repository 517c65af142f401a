package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"lab/final/internal/object"
	"lab/final/internal/runtime"
	"lab/final/internal/spec"
	"lab/final/internal/stage"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// adding are the flags of exec.
type adding struct {
	runtime.Exec
	detach, tty      bool
	file, cwd, user  string
	noNewPrivileges  bool
	env, caps, group words
}

// words is a flag that may be given more than once.
type words []string

// String is there for the flag package.
func (w *words) String() string { return strings.Join(*w, " ") }

// Set notes one more.
func (w *words) Set(word string) error {
	*w = append(*w, word)
	return nil
}

// flags adds them.
func (e *adding) flags() *flag.FlagSet {
	flags := newFlags("exec")
	flags.StringVar(&e.file, "process", "", "take the whole process from `FILE`, as JSON")
	flags.StringVar(&e.file, "p", "", "")
	flags.BoolVar(&e.detach, "detach", false, "do not wait for its end")
	flags.BoolVar(&e.detach, "d", false, "")
	flags.BoolVar(&e.tty, "tty", false, "give it a terminal")
	flags.BoolVar(&e.tty, "t", false, "")
	flags.StringVar(&e.cwd, "cwd", "", "begin in `DIR`")
	flags.StringVar(&e.user, "user", "", "be `UID[:GID]`, in numbers")
	flags.StringVar(&e.user, "u", "", "")
	flags.Var(&e.group, "additional-gids", "be in the group `GID`, too; may be given again")
	flags.Var(&e.group, "g", "")
	flags.Var(&e.env, "env", "add the variable `NAME=VALUE`; may be given again")
	flags.Var(&e.env, "e", "")
	flags.Var(&e.caps, "cap", "add a `CAPABILITY`; may be given again")
	flags.Var(&e.caps, "c", "")
	flags.BoolVar(&e.noNewPrivileges, "no-new-privs", false, "gain no privileges by execve(2)")
	flags.BoolVar(&e.IgnorePaused, "ignore-paused", false, "also in a container that is paused")
	flags.IntVar(&e.PreserveFDs, "preserve-fds", 0, "keep `N` of our open files, from 3 on")
	flags.StringVar(&e.Sub, "cgroup", "", "be in the cgroup `PATH` below the container's own")
	ioFlags(flags, &e.IO)
	return flags
}

// exec executes one more command in a container that runs.
func (a *app) exec(args []string) (int, error) {
	var e adding
	flags := e.flags()
	const many = 1 << 20
	if err := arguments(flags, args, 1, many); err != nil {
		return 0, err
	}
	// There are processes in the container that see the new one from its birth.
	if err := stage.Protect(); err != nil {
		return 0, in("exec", err)
	}
	var heard *ear
	if !e.detach {
		heard = listen()
	}
	id := flags.Arg(0)
	if err := e.read(a.rt, id, flags.Args()[1:]); err != nil {
		return 0, in("exec", err)
	}
	if err := absolute(&e.IO); err != nil {
		return 0, err
	}
	return a.add(id, e, heard)
}

// add adds the process, and without --detach waits for its end.
func (a *app) add(id string, e adding, heard *ear) (int, error) {
	console, err := terminal(e.Process, e.detach, &e.IO)
	if err != nil {
		return 0, in("exec", err)
	}
	defer console.Close()
	heard.ready()
	pid, err := a.rt.Exec(id, e.Exec)
	if err != nil {
		return statusOf(err), in("exec", err)
	}
	if err := console.Attach(os.Stdin, os.Stdout); err != nil {
		return statusOf(err), in("exec", err)
	}
	if e.detach {
		return 0, nil
	}
	return heard.wait(pid, console)
}

// terminal is who waits for the terminal of a process that is waited for, if it has one
// and no other program does; else there is nobody, which is a console, too.
func terminal(p *specs.Process, detach bool, io *runtime.IO) (*runtime.Console, error) {
	if !p.Terminal || detach || io.ConsoleSocket != "" {
		return nil, nil
	}
	console, err := runtime.NewConsole()
	if err == nil {
		io.Console = console.Socket()
	}
	return console, err
}

// read finds out what to execute: what a file says, or the container's own process with
// what the flags change.
func (e *adding) read(rt *runtime.Runtime, id string, args []string) (err error) {
	if e.file == "" && len(args) == 0 {
		return fmt.Errorf("%w: there is no command, and no --process", errUsage)
	}
	if e.file != "" {
		if e.Process, err = readProcess(e.file); err != nil {
			return err
		}
	}
	if e.Container, err = rt.Request(id); err != nil || e.file != "" {
		return err
	}
	p := e.Container.Config.Process
	e.Process = p
	p.Args, p.Terminal, p.ConsoleSize = args, e.tty, nil
	p.Env = append(p.Env, e.env...)
	p.NoNewPrivileges = p.NoNewPrivileges || e.noNewPrivileges
	if e.cwd != "" {
		p.Cwd = e.cwd
	}
	if len(e.caps) > 0 {
		p.Capabilities = withCaps(p.Capabilities, e.caps)
	}
	return e.identity(&p.User)
}

// readProcess reads a file with a process of the specification.
func readProcess(path string) (*specs.Process, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &specs.Process{}
	if err := object.Read(text, p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, spec.CheckProcess(".", p)
}

// withCaps are capabilities with more of them.
func withCaps(given *specs.LinuxCapabilities, more []string) *specs.LinuxCapabilities {
	if given == nil {
		given = &specs.LinuxCapabilities{}
	}
	for _, set := range []*[]string{&given.Bounding, &given.Effective, &given.Permitted} {
		*set = append(*set, more...)
	}
	return given
}

// identity changes the user to that of the flags: UID or UID:GID.
func (e *adding) identity(user *specs.User) error {
	uid, gid, both := strings.Cut(e.user, ":")
	var err error
	if e.user != "" {
		user.UID, err = number("--user", uid)
	}
	if both && err == nil {
		user.GID, err = number("--user", gid)
	}
	if err != nil {
		return err
	}
	for _, text := range e.group {
		gid, err := number("--additional-gids", text)
		if err != nil {
			return err
		}
		user.AdditionalGids = append(user.AdditionalGids, gid)
	}
	return nil
}

// number reads the number of a user or group.
func number(name, text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: %s %q is no number", errUsage, name, text)
	}
	return uint32(n), nil
}

// ps prints the processes of a container: their numbers as JSON, or what ps(1) says
// of them.
func (a *app) ps(args []string) (int, error) {
	flags := newFlags("ps")
	format := flags.String("format", "table", "print in `FORMAT`: table or json")
	flags.StringVar(format, "f", "table", "")
	const many = 1 << 20
	if err := arguments(flags, args, 1, many); err != nil {
		return 0, err
	}
	pids, err := a.rt.Procs(flags.Arg(0))
	if err != nil {
		return 0, in("ps", err)
	}
	switch *format {
	case "json":
		return 0, json.NewEncoder(a.out).Encode(append([]int{}, pids...))
	case "table":
		return 0, in("ps", a.psTable(pids, flags.Args()[1:]))
	}
	return 0, fmt.Errorf("%w: --format %q is none of table, json", errUsage, *format)
}

// psTable prints those lines of ps(1) that are about the given processes.
func (a *app) psTable(pids []int, args []string) error {
	if len(args) == 0 {
		args = []string{"-ef"}
	}
	text, err := output("ps", args...)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	column := slices.Index(strings.Fields(lines[0]), "PID")
	if column < 0 {
		return errors.New("ps has no column PID")
	}
	fmt.Fprintln(a.out, lines[0])
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) <= column {
			continue
		}
		pid, err := strconv.Atoi(fields[column])
		if err == nil && slices.Contains(pids, pid) {
			fmt.Fprintln(a.out, line)
		}
	}
	return nil
}

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"lab/final/internal/plan"
	"lab/final/internal/runtime"
	"lab/final/internal/spec"
	"lab/final/internal/stage"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// making are the flags of create and run.
type making struct {
	bundle       string
	io           runtime.IO
	preserve     int
	noPivot      bool
	noNewKeyring bool
}

// flags adds them.
func (m *making) flags(name string) *flag.FlagSet {
	flags := newFlags(name)
	flags.StringVar(&m.bundle, "bundle", ".", "find the config.json in `DIR`")
	flags.StringVar(&m.bundle, "b", ".", "")
	ioFlags(flags, &m.io)
	flags.IntVar(&m.preserve, "preserve-fds", 0, "keep `N` of our open files, from 3 on")
	flags.BoolVar(&m.noPivot, "no-pivot", false, "move the root, as on an initramfs")
	flags.BoolVar(&m.noNewKeyring, "no-new-keyring", false, "keep the session keyring of who calls")
	return flags
}

// request is what they ask for.
func (m *making) request(a *app, id string) (*spec.Container, error) {
	if m.preserve < 0 {
		return nil, fmt.Errorf("%w: --preserve-fds %d", errUsage, m.preserve)
	}
	for fd := 3; fd < 3+m.preserve; fd++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil {
			return nil, fmt.Errorf("--preserve-fds %d: the file %d is not open", m.preserve, fd)
		}
	}
	c, err := spec.Load(id, m.bundle)
	if err != nil {
		return nil, err
	}
	// Processes in a pid namespace that is joined see init from its birth.
	if n, there := spec.Namespace(c.Config, specs.PIDNamespace); there && n.Path != "" {
		if err := stage.Protect(); err != nil {
			return nil, err
		}
	}
	c.PreserveFDs, c.NoPivot, c.NoNewKeyring = m.preserve, m.noPivot, m.noNewKeyring
	c.SystemdCgroup = a.systemd
	return c, absolute(&m.io)
}

// ioFlags adds the flags by which a caller learns of a process.
func ioFlags(flags *flag.FlagSet, io *runtime.IO) {
	flags.StringVar(&io.PIDFile, "pid-file", "", "write the number of the process to `FILE`")
	flags.StringVar(&io.ConsoleSocket, "console-socket", "", "send the terminal to `SOCKET`")
	flags.StringVar(&io.PidfdSocket, "pidfd-socket", "", "send the process to `SOCKET`, as a pidfd")
}

// absolute makes their paths absolute: they begin where we are, and not where the bundle
// is.
func absolute(io *runtime.IO) (err error) {
	for _, path := range []*string{&io.PIDFile, &io.ConsoleSocket, &io.PidfdSocket} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}

// create makes a container whose command waits.
func (a *app) create(args []string) (int, error) {
	var m making
	flags := m.flags("create")
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	request, err := m.request(a, flags.Arg(0))
	if err != nil {
		return 0, err
	}
	_, err = a.rt.Create(request, m.io)
	return 0, in("create", err)
}

// in names the verb in which something failed.
func in(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// start lets the command of a created container go.
func (a *app) start(args []string) (int, error) {
	flags := newFlags("start")
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	warning, err := a.rt.Start(flags.Arg(0))
	a.warn(warning)
	return 0, in("start", err)
}

// warn tells what went wrong and does not count.
func (a *app) warn(warning error) {
	if warning == nil {
		return
	}
	a.tell("warning", "minirun: warning: ", warning)
}

// plan prints which system calls a bundle comes to.
func (a *app) plan(args []string) (int, error) {
	m := making{}
	flags := m.flags("plan")
	asJSON := flags.Bool("json", false, "as JSON, for programs")
	if err := arguments(flags, args, 0, 1); err != nil {
		return 0, err
	}
	id := flags.Arg(0)
	if id == "" {
		id = "ID"
	}
	request, err := m.request(a, id)
	if err != nil {
		return 0, err
	}
	host, err := runtime.ReadHost()
	if err != nil {
		return 0, err
	}
	p, err := plan.Compile(request, host)
	if err != nil {
		return 0, in("plan", err)
	}
	if *asJSON {
		return 0, p.PrintJSON(a.out)
	}
	return 0, p.Print(a.out)
}

// Go would read at each start how many processors its cgroup has, which takes a tenth of
// the start. See https://go.dev/doc/godebug.

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command minirun is an OCI runtime: it makes containers of bundles, for people and for
// engines such as Podman, containerd and Docker.
//
//	minirun [global flags] VERB [flags] [ARGUMENTS]
//
//	minirun spec                          write a config.json to begin with
//	minirun plan --bundle DIR             which system calls it comes to; makes nothing
//	minirun run --bundle DIR web          make a container, start it, wait, remove it
//	minirun create --bundle DIR web       make it; its command waits
//	minirun start web                     let the command go
//	minirun state web                     what is known of it, as JSON
//	minirun kill web TERM                 send a signal
//	minirun delete --force web            remove it, whatever it does
//
// The global flags are --root DIR, --log FILE, --log-format text|json, --debug,
// --systemd-cgroup and, for the sake of those who always give it, --rootless BOOL. See the
// OCI runtime specification and final/README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"

	"lab/final/internal/cgroup"
	"lab/final/internal/initproc"
	"lab/final/internal/runtime"
	"lab/final/internal/stage"

	"golang.org/x/sys/unix"
)

// version is what `--version` says.
const version = "0.1.0"

// failed is the exit status of an error that has no other.
const failed = 1

// errUsage means a command line that cannot be understood.
var errUsage = errors.New("usage")

// app is one run of this program.
type app struct {
	rt      *runtime.Runtime
	log     logger
	out     io.Writer
	systemd bool // it makes the cgroups
}

// main passes a command's status on, or says in one line what failed.
func main() {
	if len(os.Args) == 3 && os.Args[1] == "init" {
		if socket, err := strconv.Atoi(os.Args[2]); err == nil {
			// What the thread that becomes the command does to itself is done to no
			// other. The runtime may run on any thread, which is cheaper.
			goruntime.LockOSThread()
			os.Exit(initproc.Main(socket))
		}
	}
	initproc.RestoreFileLimit()
	stage.Quiet()
	a := &app{out: os.Stdout}
	status, err := a.main(os.Args[1:])
	if err != nil {
		status = a.explain(status, err)
	}
	os.Exit(status)
}

// main understands the global flags and does what the verb says.
func (a *app) main(args []string) (int, error) {
	flags := newFlags("minirun")
	a.rt = &runtime.Runtime{Warn: func(what string) { a.warn(errors.New(what)) }}
	flags.StringVar(&a.rt.Root, "root", runtime.DefaultRoot(), "keep the state in `DIR`")
	flags.StringVar(&a.log.path, "log", "", "append errors to `FILE`, too")
	flags.StringVar(&a.log.format, "log-format", "text", "as text or json: `FORMAT`")
	debug := flags.Bool("debug", false, "tell the operations of create, run and exec, too")
	flags.BoolVar(&a.systemd, "systemd-cgroup", false, "have systemd make the cgroup")
	flags.String("rootless", "auto", "`WORD` of engines, which is not asked")
	asked := flags.Bool("version", false, "say who this is, and of which specification")
	flags.BoolVar(asked, "v", false, "")
	if err := parse(flags, args); err != nil {
		if _, asked := errors.AsType[helpWanted](err); asked {
			err = a.help(flags)
		}
		return 0, err
	}
	if *asked {
		return 0, a.version()
	}
	if a.log.format != "text" && a.log.format != "json" {
		return 0, fmt.Errorf("%w: --log-format %q is none of text, json", errUsage, a.log.format)
	}
	if *debug {
		a.rt.Debug = func(what string) { a.tell("debug", "minirun: debug: ", errors.New(what)) }
	}
	return a.dispatch(flags, flags.Args())
}

// dispatch finds the verb.
func (a *app) dispatch(global *flag.FlagSet, words []string) (int, error) {
	switch {
	case len(words) == 0, len(words) == 1 && words[0] == "help":
		return 0, a.help(global)
	case words[0] == "help":
		words = []string{words[1], "--help"}
	}
	for _, g := range groups() {
		for _, v := range g.verbs {
			if v.name == words[0] {
				return a.do(v, words[1:])
			}
		}
	}
	if words[0] == "checkpoint" || words[0] == "restore" {
		return 0, fmt.Errorf("%s: not supported: minirun does not keep processes", words[0])
	}
	return 0, fmt.Errorf("%w: there is no verb %q", errUsage, words[0])
}

// do does what a verb says, or tells of it.
func (a *app) do(v verb, args []string) (int, error) {
	status, err := v.run(a, args)
	if help, asked := errors.AsType[helpWanted](err); asked {
		return 0, a.helpVerb(v, help.flags)
	}
	if errors.Is(err, errUsage) {
		err = fmt.Errorf("%w: minirun %s", err, strings.TrimSpace(v.name+" "+v.args))
	}
	return status, err
}

// newFlags are flags of which errors are ours to tell.
func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

// parse reads flags.
func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return helpWanted{flags}
	case err != nil:
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}

// arguments reads flags and makes sure of how many words follow them.
func arguments(flags *flag.FlagSet, args []string, least, most int) error {
	if err := parse(flags, args); err != nil {
		return err
	}
	if n := flags.NArg(); n < least || n > most {
		return fmt.Errorf("%w: %d arguments", errUsage, n)
	}
	return nil
}

// explain tells an error to people and to the log, and returns the exit status.
func (a *app) explain(status int, err error) int {
	if errors.Is(err, errUsage) {
		status = 2
	}
	if status == 0 {
		status = failed
	}
	a.tell("error", "minirun: ", err)
	if h := hint(err); h != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", h)
	}
	return status
}

// tell tells an error, or several, line by line to people and as one to the log.
func (a *app) tell(level, prefix string, err error) {
	lines := strings.Split(err.Error(), "\n")
	for _, line := range lines {
		fmt.Fprintf(os.Stderr, "%s%s\n", prefix, line)
	}
	if logged := a.log.write(level, strings.Join(lines, "; ")); logged != nil {
		fmt.Fprintf(os.Stderr, "minirun: log: %v\n", logged)
	}
}

// hint says what may help, where that is known.
func hint(err error) string {
	switch {
	case errors.Is(err, runtime.ErrExists):
		return "minirun delete --force removes a container, whatever it does"
	case errors.Is(err, runtime.ErrRunning):
		return "minirun kill stops it, minirun delete --force removes it all the same"
	case errors.Is(err, cgroup.ErrNoSystemd):
		return "have the engine use cgroupfs, as with podman --cgroup-manager=cgroupfs"
	case errors.Is(err, unix.EPERM) && os.Geteuid() != 0:
		return "run it as root, or write a configuration with minirun spec --rootless"
	}
	return ""
}

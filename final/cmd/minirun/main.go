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
	debug   bool
	systemd bool // it makes the cgroups
}

// verb is a word of the command line and what it does.
type verb struct {
	name, args string
	run        func(*app, []string) (status int, err error)
}

// verbs are all verbs there are.
func verbs() []verb {
	return []verb{
		{"create", "[--bundle DIR] [--pid-file FILE] [--console-socket PATH] ID", (*app).create},
		{"start", "ID", (*app).start},
		{"run", "[--bundle DIR] [--detach] [--keep] [--pid-file FILE] ID", (*app).run},
		{"state", "ID", (*app).state},
		{"kill", "[--all] ID [SIGNAL]", (*app).kill},
		{"delete", "[--force] ID", (*app).remove},
		{"exec", "[flags] ID COMMAND [ARG…] | --process FILE [flags] ID", (*app).exec},
		{"ps", "[--format table|json] ID [PS-FLAG…]", (*app).ps},
		{"pause", "ID", (*app).pause},
		{"resume", "ID", (*app).resume},
		{"update", "--resources FILE|- ID | --memory BYTES … ID", (*app).update},
		{"events", "[--stats] [--interval TIME] ID", (*app).events},
		{"list", "[--quiet] [--format table|json]", (*app).list},
		{"plan", "[--bundle DIR] [--json] [ID]", (*app).plan},
		{"spec", "[--bundle DIR] [--rootless]", (*app).spec},
		{"features", "", (*app).features},
	}
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
	flags.StringVar(&a.rt.Root, "root", runtime.DefaultRoot(), "")
	flags.StringVar(&a.log.path, "log", "", "")
	flags.StringVar(&a.log.format, "log-format", "text", "")
	flags.BoolVar(&a.debug, "debug", false, "")
	flags.BoolVar(&a.systemd, "systemd-cgroup", false, "")
	flags.String("rootless", "auto", "") // it is seen, not asked
	asked := flags.Bool("version", false, "")
	flags.BoolVar(asked, "v", false, "")
	if err := parse(flags, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			err = a.help()
		}
		return 0, err
	}
	if *asked {
		return 0, a.version()
	}
	if a.log.format != "text" && a.log.format != "json" {
		return 0, fmt.Errorf("%w: --log-format %q is none of text, json", errUsage, a.log.format)
	}
	return a.dispatch(flags.Args())
}

// dispatch finds the verb.
func (a *app) dispatch(words []string) (int, error) {
	if len(words) == 0 || words[0] == "help" {
		return 0, a.help()
	}
	for _, v := range verbs() {
		if v.name != words[0] {
			continue
		}
		status, err := v.run(a, words[1:])
		if errors.Is(err, flag.ErrHelp) {
			_, err = fmt.Fprintf(a.out, "usage: minirun %s %s\n", v.name, v.args)
			return 0, err
		}
		if errors.Is(err, errUsage) {
			err = fmt.Errorf("%w: minirun %s %s", err, v.name, v.args)
		}
		return status, err
	}
	if words[0] == "checkpoint" || words[0] == "restore" {
		return 0, fmt.Errorf("%s: not supported: minirun does not keep processes", words[0])
	}
	return 0, fmt.Errorf("%w: there is no verb %q", errUsage, words[0])
}

// help lists the verbs.
func (a *app) help() error {
	var b strings.Builder
	b.WriteString("minirun makes containers of OCI bundles.\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(&b, "  minirun %s\n", strings.TrimSpace(v.name+" "+v.args))
	}
	b.WriteString("\nbefore the verb: --root DIR --log FILE --log-format text|json --debug " +
		"--systemd-cgroup\n")
	_, err := io.WriteString(a.out, b.String())
	return err
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
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return fmt.Errorf("%w: %w", errUsage, err)
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
	lines := strings.Split(err.Error(), "\n")
	for _, line := range lines {
		fmt.Fprintf(os.Stderr, "minirun: %s\n", line)
	}
	if h := hint(err); h != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", h)
	}
	if logged := a.log.write("error", strings.Join(lines, "; ")); logged != nil {
		fmt.Fprintf(os.Stderr, "minirun: log: %v\n", logged)
	}
	return status
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

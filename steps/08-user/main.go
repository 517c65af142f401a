// Command 08-user runs a command as root of a user namespace: root in the
// container, and outside of it whoever started this program, or nobody at all.
//
//	08-user run [-user] [flags] COMMAND [ARG…]
//
// With -user none of the other flags needs root, but for what belongs to the
// host: its network and its cgroups. See user_namespaces(7), newuidmap(1),
// capabilities(7).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	program = "08-user" // begins every message
	usage   = "run [-hostname NAME] [-rootfs DIR] [-ip CIDR] " +
		"[-memory SIZE] [-cpus NUMBER] [-pids NUMBER] " +
		"[-lower TOP:…:BOTTOM [-upper DIR]] " +
		"[-v HOST:CTR[:ro]]… [-user] COMMAND [ARG…]"
)

// container is one run: what was asked for and, once started, its process.
type container struct {
	Hostname string
	Rootfs   string
	Net      network
	Limits   limits
	Layers   layers
	Volumes  volumes
	User     userns
	Command  []string

	child   *os.Process
	signals chan os.Signal
	ready   *os.File // ends when PID 1 listens
	gate    *os.File // carries the config, and with it the "go"
	undo    []func() error
}

// main passes the command's exit status on or says in one line what failed.
func main() {
	// A Pdeathsig is sent when the thread that started the child ends, so
	// that thread has to live as long as this program.
	runtime.LockOSThread()
	status, err := run(os.Args[1:])
	if err != nil {
		status = explain(err)
	}
	os.Exit(status)
}

// run is the whole life of a container: the parent's, from top to bottom, and
// inside it the child's.
func run(args []string) (status int, err error) {
	c, err := parse(args)
	if err != nil {
		return 0, err
	}
	if os.Args[0] == "init" {
		return initialize(c)
	}
	defer func() { err = errors.Join(err, cleanUp(c)) }()
	for _, do := range []func(*container) error{
		checkRootfs, // refuse what cannot work while nothing is made
		checkVolumes,
		claimLayers, // check them, lock upper, make its work directory
		start,       // clone the child into its namespaces; it waits
		mapIDs,      // whom its users stand for
		connect,     // bridge, veth pair, address, NAT
		release,     // let the child go on
	} {
		if err := do(c); err != nil {
			return 0, err
		}
	}
	return c.report(wait(c)) // what the limits did
}

// parse reads the command line. Our flags end where the command begins, so
// the command's own flags stay the command's.
func parse(args []string) (*container, error) {
	c := &container{}
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.Hostname, "hostname", "container", "`NAME` inside")
	flags.StringVar(&c.Rootfs, "rootfs", "", "root `DIR`; the host's if none")
	c.Net.flags(flags)
	c.Limits.flags(flags)
	c.Layers.flags(flags)
	c.Volumes.flags(flags)
	c.User.flags(flags)
	if len(args) == 0 || args[0] != "run" {
		return nil, fmt.Errorf("%w: the first word is not run", errUsage)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return nil, refuse(flags, err)
	}
	if c.Command = flags.Args(); len(c.Command) == 0 {
		return nil, fmt.Errorf("%w: COMMAND is missing", errUsage)
	}
	return c, checkFlags(c)
}

// start clones the child: this program once more, with the same arguments,
// as init. It listens for signals before there is a child, so none is lost.
func start(c *container) error {
	c.signals = listen()
	args := append([]string{"init"}, os.Args[1:]...)
	ready, inChild, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer inChild.Close()
	gate, err := openGate(c)
	if err != nil {
		return err
	}
	defer gate.Close()
	c.ready = ready
	attr := &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, inChild, gate},
		Sys: &syscall.SysProcAttr{
			Pdeathsig: unix.SIGKILL,
			Cloneflags: unix.CLONE_NEWUTS | unix.CLONE_NEWPID |
				unix.CLONE_NEWNS | unix.CLONE_NEWNET,
		},
	}
	if err := limit(c, attr); err != nil {
		return err
	}
	if err := isolate(c, attr); err != nil {
		return err
	}
	c.child, err = os.StartProcess("/proc/self/exe", args, attr)
	if err != nil && c.User.On {
		return forbidden(c, "clone with CLONE_NEWUSER", cause(err))
	}
	if err != nil {
		return fmt.Errorf("clone with CLONE_NEWUTS|CLONE_NEWPID|"+
			"CLONE_NEWNS|CLONE_NEWNET: %w", cause(err))
	}
	c.undo = append(c.undo, func() error { return endChild(c) })
	return nil
}

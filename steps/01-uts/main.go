// Command 01-uts runs a command under a host name of its own. The program
// starts itself a second time, as init, in a new UTS namespace; there it sets
// the name and becomes the command.
//
//	01-uts run [-hostname NAME] COMMAND [ARG…]
//
// See uts_namespaces(7), clone(2), sethostname(2).
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	program = "01-uts" // begins every message
	usage   = "run [-hostname NAME] COMMAND [ARG…]"
)

// container is one run: what was asked for and, once started, its process.
type container struct {
	Hostname string
	Command  []string

	child   *os.Process
	signals chan os.Signal
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
func run(args []string) (int, error) {
	c, err := parse(args)
	if err != nil {
		return 0, err
	}
	if os.Args[0] == "init" {
		return initialize(c)
	}
	if err := start(c); err != nil {
		return 0, err
	}
	return wait(c)
}

// parse reads the command line. Our flags end where the command begins, so
// the command's own flags stay the command's.
func parse(args []string) (*container, error) {
	c := &container{}
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.Hostname, "hostname", "container", "`NAME` inside")
	if len(args) == 0 || args[0] != "run" {
		return nil, fmt.Errorf("%w: the first word is not run", errUsage)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return nil, refuse(flags, err)
	}
	if c.Command = flags.Args(); len(c.Command) == 0 {
		return nil, fmt.Errorf("%w: COMMAND is missing", errUsage)
	}
	return c, nil
}

// start clones the child: this program once more, with the same arguments,
// as init. It listens for signals before there is a child, so none is lost.
func start(c *container) error {
	c.signals = listen()
	args := append([]string{"init"}, os.Args[1:]...)
	var err error
	c.child, err = os.StartProcess("/proc/self/exe", args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{
			Pdeathsig:  unix.SIGKILL,
			Cloneflags: unix.CLONE_NEWUTS,
		},
	})
	if err != nil {
		return fmt.Errorf("clone with CLONE_NEWUTS: %w", cause(err))
	}
	return nil
}

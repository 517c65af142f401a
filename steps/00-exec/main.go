// Command 00-exec runs a command and gets out of its way: the arguments, the
// three standard streams, the signals and the exit status are the command's
// own. Nothing is isolated yet. It is the frame that every later step fills.
//
//	00-exec run COMMAND [ARG…]
//
// See execve(2), wait(2), signal(7).
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	program = "00-exec" // begins every message
	usage   = "run COMMAND [ARG…]"
)

// container is one run: what was asked for and, once started, its process.
type container struct {
	Command []string

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

// run is the whole life of a command, from top to bottom.
func run(args []string) (int, error) {
	c, err := parse(args)
	if err != nil {
		return 0, err
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

// start starts the command. It listens for signals before there is a child,
// so that none is lost.
func start(c *container) error {
	c.signals = listen()
	path, err := exec.LookPath(c.Command[0])
	if err != nil {
		return err
	}
	c.child, err = os.StartProcess(path, c.Command, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		return &exec.Error{Name: path, Err: cause(err)}
	}
	return nil
}

package main

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// run makes a container, starts it, and without --detach waits for its end and removes
// it. The command's exit status is ours.
func (a *app) run(args []string) (int, error) {
	var m making
	flags := m.flags("run")
	detach := flags.Bool("detach", false, "do not wait for its end")
	flags.BoolVar(detach, "d", false, "")
	keep := flags.Bool("keep", false, "do not remove it when it has ended")
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	id := flags.Arg(0)
	request, err := m.request(a, id)
	if err != nil {
		return 0, err
	}
	var heard *ear
	if !*detach {
		heard = listen()
	}
	console, err := terminal(request.Config.Process, *detach, &m.io)
	if err != nil {
		return 0, in("run", err)
	}
	defer console.Close()
	pid, err := a.rt.Create(request, m.io)
	if err != nil {
		return statusOf(err), in("run", err)
	}
	if err := console.Attach(os.Stdin, os.Stdout); err != nil {
		return statusOf(err), errors.Join(in("run", err), a.forget(id))
	}
	heard.ready()
	warning, err := a.rt.Start(id)
	a.warn(warning)
	if err != nil {
		return statusOf(err), errors.Join(in("run", err), a.forget(id))
	}
	if *detach {
		return 0, nil
	}
	status, err := heard.wait(pid, console)
	if *keep {
		return status, err
	}
	return status, errors.Join(err, a.forget(id))
}

// forget removes a container that has ended, or shall.
func (a *app) forget(id string) error {
	warning, err := a.rt.Delete(id, true)
	a.warn(warning)
	return err
}

// statusOf is the exit status for a command that was not executed: 127 where there is
// none, 126 where it may not be, else 125.
//
//	exec: "x": executable file not found in $PATH
//	have AppArmor confine the command by x: write thread-self/attr/apparmor/exec: no such file …
func statusOf(err error) int {
	text := " " + err.Error()
	switch {
	case !strings.Contains(text, " exec: ") && !strings.Contains(text, " exec "):
		return 125
	case strings.Contains(text, "not found in $PATH"), strings.Contains(text, unix.ENOENT.Error()):
		return 127
	case strings.Contains(text, unix.EACCES.Error()):
		return 126
	}
	return 125
}

package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// kill sends a signal to a container.
func (a *app) kill(args []string) (int, error) {
	flags := newFlags("kill")
	all := flags.Bool("all", false, "send it to all processes, not to the first alone")
	flags.BoolVar(all, "a", false, "")
	if err := arguments(flags, args, 1, 2); err != nil {
		return 0, err
	}
	signal, err := parseSignal(flags.Arg(1))
	if err != nil {
		return 0, err
	}
	return 0, in("kill", a.rt.Kill(flags.Arg(0), signal, *all))
}

// parseSignal reads a signal's number, or its name with or without SIG. Without one it
// is that which asks a program to end.
func parseSignal(word string) (unix.Signal, error) {
	if word == "" {
		return unix.SIGTERM, nil
	}
	const last = 64 // SIGRTMAX
	if n, err := strconv.Atoi(word); err == nil {
		if n < 1 || n > last {
			return 0, fmt.Errorf("%w: signal %d is not from 1 to %d", errUsage, n, last)
		}
		return unix.Signal(n), nil
	}
	name := strings.ToUpper(word)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if signal := unix.SignalNum(name); signal != 0 {
		return signal, nil
	}
	return 0, fmt.Errorf("%w: there is no signal %q", errUsage, word)
}

// remove removes a container.
func (a *app) remove(args []string) (int, error) {
	flags := newFlags("delete")
	force := flags.Bool("force", false, "kill it first; that there is none is fine")
	flags.BoolVar(force, "f", false, "")
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	warning, err := a.rt.Delete(flags.Arg(0), *force)
	a.warn(warning)
	return 0, in("delete", err)
}

package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen catches the signals that are meant for the command.
func listen() chan os.Signal {
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT,
		unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH)
	return signals
}

// forward passes signals on to a process for as long as it lives.
func forward(signals <-chan os.Signal, p *os.Process) {
	for s := range signals {
		if !typed(s) {
			_ = p.Signal(s) // fails only when p has ended
		}
	}
}

// typed reports whether a signal comes from the keyboard: the terminal sends
// those to its whole foreground group, so the command has it already.
func typed(s os.Signal) bool {
	foreground, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fromKey := s == unix.SIGINT || s == unix.SIGQUIT
	return fromKey && err == nil && foreground == unix.Getpgrp()
}

// wait passes signals on until the child ends and returns its exit status,
// 128+N for a child ended by signal N, as a shell does.
func wait(c *container) (int, error) {
	go forward(c.signals, c.child)
	state, err := c.child.Wait()
	if err != nil {
		return 0, err
	}
	return exitStatus(state.Sys().(syscall.WaitStatus)), nil
}

// exitStatus turns what wait(2) tells of a child into one number.
func exitStatus(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

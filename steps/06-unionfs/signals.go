package main

import (
	"os"
	"os/signal"

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

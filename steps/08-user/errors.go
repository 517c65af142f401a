package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// errUsage marks a command line that cannot be understood.
var errUsage = errors.New("wrong usage")

// errNoNftables marks a kernel that cannot have rules of ours.
var errNoNftables = errors.New("this kernel has no nftables")

// explain prints an error with a hint and returns the exit status for it:
// 2 wrong usage, 127 command not found, 126 not executable, 125 our failure.
func explain(err error) int {
	_, atExec := errors.AsType[*exec.Error](err)
	missing := errors.Is(err, exec.ErrNotFound) ||
		errors.Is(err, fs.ErrNotExist)
	advised, hasHint := errors.AsType[hinted](err)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		say(err, program+" "+usage)
		return 2
	case atExec && missing:
		say(err, "")
		return 127
	case atExec:
		say(err, "")
		return 126
	case hasHint:
		say(err, advised.hint)
		return 125
	case errors.Is(err, fs.ErrPermission) && os.Args[0] != "init":
		say(err, asRoot())
		return 125
	}
	say(err, "")
	return 125
}

// refuse answers -h, and flags that were not understood.
func refuse(flags *flag.FlagSet, err error) error {
	if !errors.Is(err, flag.ErrHelp) {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	fmt.Println("usage:", program, usage)
	flags.SetOutput(os.Stdout)
	flags.PrintDefaults()
	return err
}

// say prints one clear line and, where something helps, a second one.
func say(err error, hint string) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	if hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", hint)
	}
}

// cause returns what the kernel said, without the names that Go puts before.
func cause(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

// lastWord stands for the newest container wherever a pid is taken.
const lastWord = "last"

// errNoContainer means that there is no newest container.
var errNoContainer = errors.New("no container of the lab is running")

// lastContainer returns the first process of the newest container of `lab run`,
// `lab check` or `lab tour`.
func lastContainer() (int, error) { return 0, errNoContainer }

// errNoProcess means that a pid names no process.
var errNoProcess = errors.New("no such process")

// pidArg turns an argument into the pid of a process that exists.
func pidArg(arg string) (int, error) {
	if arg == lastWord {
		pid, err := lastContainer()
		if err != nil {
			return 0, hinted{err, "lab run 03, and in another terminal this again"}
		}
		return pid, nil
	}
	pid, err := strconv.Atoi(arg)
	if err != nil || pid <= 0 {
		return 0, hinted{
			fmt.Errorf("%w: a process is a number above 0, or %q", errUsage, lastWord),
			"ps -e, or lab ns, shows which there are",
		}
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil {
		return 0, hinted{errNoProcess, "ps -e, or lab ns, shows which there are"}
	}
	return pid, nil
}

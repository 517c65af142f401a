//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"lab/internal/journal"
)

// lastWord stands for the newest container wherever a pid is taken.
const lastWord = "last"

// errNoProcess means that a pid names no process.
var errNoProcess = errors.New("no such process")

// pidArg turns an argument into the pid of a process that exists, last into that of
// the newest container of lab run, check or tour.
func pidArg(arg string) (int, error) {
	if arg == lastWord {
		pid, err := journal.Last()
		if err != nil {
			return 0, hinted{err, "lab run 03, and this again in another terminal"}
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

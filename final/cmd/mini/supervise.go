package main

import (
	"errors"
	"fmt"
	"os"

	"lab/final/internal/engine"
	"lab/final/internal/rootless"
)

// supervise is what this program does under the name of a monitor:
//
//	mini-monitor ROOT STATE ID [attach]
//
// Its file 3 is the connection with whoever has started it, who is told what failed, and
// file 4 the lock of the container. When all is done nobody waits for it any longer.
func supervise(args []string) int {
	if len(args) < 4 {
		fmt.Fprintln(os.Stderr, "mini: a monitor is started by mini alone")
		return notUsage
	}
	e, err := engine.Open(engine.Options{Root: args[1], State: args[2]})
	if err == nil {
		err = rootless.Follow(args[2], true)
	}
	if err == nil {
		err = e.Supervise(args[3], os.NewFile(3, "client"), os.NewFile(4, "lock"),
			len(args) > 4)
		err = errors.Join(err, e.Settle())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "mini: %v\n", err)
		return failed
	}
	return 0
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// openGate makes the pipe at which the child waits, on the host, and returns
// the child's end of it. A network device can be moved into a namespace only
// once that exists, so from here on the child has to wait for its parent.
func openGate(c *container) (*os.File, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	c.gate = ours
	return theirs, nil
}

// release sends the container's whole description through the gate, on the
// host, when all is made that the child needs.
func release(c *container) error {
	if err := json.NewEncoder(c.gate).Encode(c); err != nil {
		return fmt.Errorf("release the child: %w", err)
	}
	return c.gate.Close()
}

// await waits in the container for the description. A pipe that ends early
// means that the parent is gone: nothing may run then.
func await(c *container) bool {
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)
	gate := os.NewFile(4, "gate")
	defer gate.Close()
	return json.NewDecoder(gate).Decode(c) == nil
}

// endChild ends a child that is still there when the parent gives up, on the
// host. All three calls are harmless for one that has ended.
func endChild(c *container) error {
	_ = c.gate.Close()
	_ = c.child.Kill()
	_, _ = c.child.Wait()
	return nil
}

// cleanUp undoes what was made on the host, the last thing first.
func cleanUp(c *container) error {
	var errs []error
	for _, undo := range slices.Backward(c.undo) {
		errs = append(errs, undo())
	}
	c.undo = nil
	return errors.Join(errs...)
}

//go:build linux

package engine

import "lab/final/internal/monitor"

// Upper is the directory of what a container has changed, as overlayfs has it.
func (e *Engine) Upper(c *Container) string { return e.upper(c) }

// Release closes the connection that a container is tied to, and returns when it has ended
// and was removed.
func (e *Engine) Release(c *Container, conn *monitor.Conn) error {
	wait, err := monitor.Dial(e.stateDir(c.ID), monitor.Request{Do: "attach"})
	_ = conn.Close() // which is all that is wanted of it
	if err == nil {
		// Whatever is said, the end of it is the monitor's.
		_, _ = await(wait)
		_ = wait.Close()
	}
	return e.RemoveIfThere(c.ID)
}

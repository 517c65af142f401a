//go:build linux

package engine

import "path/filepath"

// Upper is the directory of what a container has changed, in overlayfs's words.
func (e *Engine) Upper(c *Container) string { return filepath.Join(e.dir(c.ID), "upper") }

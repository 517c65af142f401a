// Package steps carries the source of the path's programs and their lessons,
// so that an installed lab has them without a checkout. It imports none of
// them: each step is a program of its own.
package steps

import "embed"

// Files holds every step's directory, such as 03-mount/main.go.
//
//go:embed */*.go */README.md
var Files embed.FS

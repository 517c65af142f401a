package baseroot

import "errors"

// The reasons why no root can be written, for errors.Is.
var (
	// ErrForeign is a directory that holds something else than a root of ours.
	ErrForeign = errors.New("not empty and not a root written by lab")
	// ErrBusy is a root below which something is mounted.
	ErrBusy = errors.New("something is mounted in it")
	// ErrDynamic is a program that needs a loader, so it cannot run in an empty root.
	ErrDynamic = errors.New("not a static program")
)

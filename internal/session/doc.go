//go:build linux

// Package session is what `lab watch` shows: it checks a learner's program at each
// save and keeps the result on the screen, with single keys for the rest of the
// loop. It never moves on by itself: what is on the screen stays until a key or a
// save.
//
// One goroutine owns everything that changes (Run). Others only send to it: the
// keyboard, the watcher of the directory, the check that runs, signals.
//
//	keyboard ─┐
//	saves ────┤            ┌─► model ─► view ─► terminal
//	check ────┼─► select ──┤
//	signals ──┘            └─► lab check --json, in a process group of its own
//
// The check is another process, this very program: it builds what the learner has
// written, which may never end, so it has to be one that can be ended whole. The
// terminal is put back as it was on every way out; see terminal.go.
package session

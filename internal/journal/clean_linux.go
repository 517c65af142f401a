package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Cleaning is what Clean found and did.
type Cleaning struct {
	DryRun  bool     `json:"dry_run"`
	Ended   []string `json:"ended"`  // runs that were killed before they could undo
	Active  []string `json:"active"` // runs that go on
	Actions []Action `json:"actions"`

	// Compared are the kinds of which the host now was compared with Since.
	Compared []Kind `json:"compared"`
	// Since names the run before which the host was looked at; empty if there
	// is none to compare with.
	Since       string       `json:"since"`
	NotCompared string       `json:"not_compared"` // why, where it was not
	Differences []Difference `json:"differences"`
	// Unreadable tells which kinds this user may not see in full, and why.
	Unreadable map[Kind]string `json:"unreadable"`
}

// The things that an action can have come to.
const (
	Removed  = "removed"
	Restored = "restored" // a setting has its value of before
	Ended    = "ended"    // a process
	Kept     = "kept"     // not the lab's, or in use
	Refused  = "refused"  // the kernel did not let us
	Planned  = "planned"  // what a dry run would undo
)

// Action is one thing that was found and what became of it.
type Action struct {
	Kind   Kind   `json:"kind"`
	What   string `json:"what"`
	Result string `json:"result"`
	Why    string `json:"why"` // for what was kept or refused
}

// Failed reports whether something of the lab's is left that should not be.
func (c Cleaning) Failed() bool {
	return slices.ContainsFunc(c.Actions, func(a Action) bool { return a.Result == Refused })
}

// cleaning is a Cleaning at work.
type cleaning struct {
	Cleaning
	ended     []*stored
	active    []*stored
	boot      string
	namespace uint64
}

// Clean undoes what runs have left that were killed, in this process's
// namespaces: processes, the bridge with its rules and settings, cgroups and
// files. It takes for the lab's what the journal names and the kernel confirms,
// or what carries a mark that only the lab gives; all else it leaves alone.
// At last it compares the host with what it was before the oldest such run.
func Clean(ctx context.Context, dryRun bool) (Cleaning, error) {
	// Lists that are empty are so in JSON as well, and not null.
	c := &cleaning{Cleaning: Cleaning{
		DryRun: dryRun, Ended: []string{}, Active: []string{}, Actions: []Action{},
		Compared: []Kind{}, Differences: []Difference{}, Unreadable: map[Kind]string{},
	}}
	var err error
	if c.boot, c.namespace, err = here(); err != nil {
		return c.Cleaning, err
	}
	all, err := load(true)
	defer func() {
		for _, s := range all {
			_ = s.file.close() // it was only read
		}
	}()
	if err != nil {
		return c.Cleaning, err
	}
	c.sort(all)
	for _, part := range []func() error{
		c.cleanProcesses, c.cleanNetwork, c.cleanCgroups, c.cleanFiles,
	} {
		if err := part(); err != nil {
			return c.Cleaning, err
		}
	}
	if dryRun {
		c.NotCompared = "a dry run changes nothing"
		return c.Cleaning, nil
	}
	c.compare(ctx)
	return c.Cleaning, c.forget()
}

// sort tells the runs that go on from those that have ended.
func (c *cleaning) sort(all []*stored) {
	for _, s := range all {
		c.awaitLock(s)
		switch {
		case s.active && s.broken == nil:
			c.active = append(c.active, s)
			c.Active = append(c.Active, s.title())
		case s.active: // its file is being read by somebody else
		case s.broken != nil:
			path := s.file.path
			c.do(Files, "unreadable "+path, func() error { return os.Remove(path) })
		default:
			c.ended = append(c.ended, s)
			if !s.Left { // it ended by itself
				c.Ended = append(c.Ended, s.title())
			}
		}
	}
}

// awaitLock waits for the lock of a run whose process is dead. What it was starting
// when it was killed has its files, the locked one included, until execve(2) closes
// them.
func (c *cleaning) awaitLock(s *stored) {
	began := time.Now()
	for s.active && s.broken == nil && s.local(c.boot, c.namespace) && s.killed() {
		if s.lock() != nil || time.Since(began) > patience {
			s.active = true // another cleaning has it
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// killed reports whether the command of lab is dead that wrote this.
func (s *stored) killed() bool { return len(s.Processes) > 0 && !s.Processes[0].lives() }

// do does something unless nothing is to be changed, and notes it.
func (c *cleaning) do(kind Kind, what string, action func() error) {
	a := Action{Kind: kind, What: what, Result: Removed}
	switch kind {
	case Settings:
		a.Result = Restored
	case Processes:
		a.Result = Ended
	default:
	}
	if c.DryRun {
		a.Result = Planned
	} else if err := action(); err != nil {
		a.Result, a.Why = Refused, err.Error()
	}
	c.Actions = append(c.Actions, a)
}

// keep notes that something is left alone.
func (c *cleaning) keep(kind Kind, what, why string) {
	c.Actions = append(c.Actions, Action{Kind: kind, What: what, Result: Kept, Why: why})
}

// compare looks at the host once more and tells what is not as it was before
// the oldest of the runs that have ended.
func (c *cleaning) compare(ctx context.Context) {
	base := c.base()
	switch {
	case base == nil:
		c.NotCompared = "no run of this boot was killed"
		return
	case len(c.active) > 0:
		c.NotCompared = c.Active[0] + " still runs"
		return
	}
	before := *base.Before
	before.Scope.Without = append(before.Scope.Without, base.elsewhere()...)
	before.Entries = slices.DeleteFunc(before.Entries, func(e Entry) bool {
		return slices.Contains(before.Scope.Without, e.Kind)
	})
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	c.Since = base.title()
	c.Differences = append(c.Differences, Settle(ctx, before)...)
	c.Compared = append(before.Compared(), Settings)
	maps.Copy(c.Unreadable, before.Unreadable)
}

// settling is how long the host may take to be as it was, when all is undone.
const settling = 5 * time.Second

// base is the oldest run of this boot that has a snapshot.
func (c *cleaning) base() *stored {
	for _, s := range c.ended {
		if s.Before != nil && s.Boot == c.boot {
			return s
		}
	}
	return nil
}

// elsewhere lists what a snapshot read in other namespaces than these.
func (s *stored) elsewhere() []Kind {
	now := whereRead()
	var other []Kind
	for namespace, kinds := range map[string][]Kind{
		"mnt": {Mounts}, "net": {Links, Rules, Settings}, "cgroup": {Cgroups},
	} {
		if s.BeforeWhere[namespace] != now[namespace] {
			other = append(other, kinds...)
		}
	}
	slices.Sort(other)
	return other
}

// forget removes the files of the runs of which nothing is left, and texts
// that were never finished.
func (c *cleaning) forget() error {
	if c.Failed() {
		return nil // what is left has to be found again
	}
	var errs []error
	for _, s := range c.ended {
		if !c.waiting(s) {
			errs = append(errs, s.file.remove())
		}
	}
	dir, _, err := directory()
	if err != nil {
		return err
	}
	parts, err := filepath.Glob(filepath.Join(dir, "*"+newSuffix))
	for _, part := range parts {
		info, err := os.Stat(part)
		// One that is being written is younger.
		if err == nil && time.Since(info.ModTime()) > time.Minute {
			errs = append(errs, os.Remove(part))
		}
	}
	return errors.Join(append(errs, err)...)
}

// waiting reports whether something of a run was kept because it is in use.
func (c *cleaning) waiting(s *stored) bool {
	return slices.ContainsFunc(c.Actions, func(a Action) bool {
		mine := s.Directory != "" && strings.Contains(a.What, s.Directory) ||
			s.Work != "" && strings.Contains(a.What, s.Work)
		return a.Result == Kept && mine
	})
}

// describe names a process for people.
func (p Process) describe() string {
	return fmt.Sprintf("process %d (%s)", p.PID, p.Role)
}

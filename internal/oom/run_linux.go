package oom

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/journal"
)

// lockThread keeps a goroutine on its thread for good.
func lockThread() { runtime.LockOSThread() }

// Watch is told what happens, as it happens.
type Watch interface {
	Begins(p Phase)            // the allocator is ready
	Attaches(p Phase, pid int) // it is put into the cgroup
	Took(p Phase, s Sample)    // after each step
	Ended(p Phase)
}

// Run shows the limit: an allocator that is killed, and one that is not. It
// leaves no cgroup and no process behind, whichever way it ends.
func Run(ctx context.Context, o Options, watch Watch) (r Result, err error) {
	place, err := findPlace()
	if err != nil {
		return r, err
	}
	if place.name, err = journal.CgroupName(os.Getpid()); err != nil {
		return r, err
	}
	run, err := journal.Begin(journal.Plan{
		Command: append([]string{"lab"}, os.Args[1:]...), Cgroups: []string{place.dir},
	})
	if err != nil {
		r.Warnings = append(r.Warnings, err.Error()+"; if lab is killed, `lab clean` knows nothing")
	}
	defer func() { err = errors.Join(err, place.giveBack(), run.End()) }()
	if err := place.handOn(); err != nil {
		return r, err
	}
	// The death signal of a child comes when the thread ends that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	s := &show{Options: o, place: place, run: run, watch: watch, result: &r}
	r.Version, r.Step, r.Attach = place.version, o.Step, o.Attach
	r.Warnings = append([]string{}, r.Warnings...) // an empty list, not null
	if r.Limited, err = s.limited(ctx); err != nil {
		return r, err
	}
	if o.NoLimit > 0 {
		contrast, err := s.unlimited(ctx)
		if err != nil {
			return r, err
		}
		r.Contrast = &contrast
	}
	r.judge()
	return r, nil
}

// Check refuses what cannot show anything, or would hurt the machine.
func (o Options) Check() error {
	switch {
	case o.Limit < LeastLimit:
		return fmt.Errorf("limit %s: a Go program needs %s to start with",
			Bytes(o.Limit), Bytes(LeastLimit))
	case o.Step < LeastStep:
		return fmt.Errorf("step %s: the kernel counts in batches of up to %s",
			Bytes(o.Step), Bytes(LeastStep))
	case o.Step > o.Limit/4:
		return fmt.Errorf("step %s: more than a quarter of the limit, %s",
			Bytes(o.Step), Bytes(o.Limit))
	}
	if free := available(); o.most() > free/2 {
		return fmt.Errorf("%s may be taken, more than half of the %s that this machine has left",
			Bytes(o.most()), Bytes(free))
	}
	if o.most()/o.Step > mostSteps {
		return fmt.Errorf("step %s: more than %d steps to the end", Bytes(o.Step), mostSteps)
	}
	return nil
}

// most is how much memory the demonstration may take at all.
func (o Options) most() int64 { return max(o.withinLimit(), o.NoLimit) }

// withinLimit is where the allocator ends that should have been killed before.
func (o Options) withinLimit() int64 {
	if o.Swap {
		return 3 * o.Limit
	}
	return 2 * o.Limit
}

// available is what /proc/meminfo says can still be had:
//
//	MemAvailable:    7340032 kB
func available() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return kilobytes(text, "MemAvailable:")
}

// show is a Run at work.
type show struct {
	Options
	place  *place
	run    *journal.Run
	watch  Watch
	result *Result
}

// limited runs the allocator within the limit, until it is killed.
func (s *show) limited(ctx context.Context) (p Phase, err error) {
	g, err := makeGroup(s.place, s.place.name)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, g.remove()) }()
	if s.result.Swap, err = g.limit(s.Limit, s.Swap); err != nil {
		return p, err
	}
	home := g
	if s.Attach {
		if home, err = makeGroup(s.place, s.place.name+"-old"); err != nil {
			return p, err
		}
		defer func() { err = errors.Join(err, home.remove()) }()
	}
	log := openLog()
	defer log.close()
	kills, err := g.listen()
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, kills.close()) }()

	p = Phase{Cgroup: g.dir, Limit: s.Limit, Samples: []Sample{}}
	l := &life{show: s, phase: &p, group: g, home: home, total: s.withinLimit()}
	if err := l.live(ctx, kills); err != nil {
		return p, err
	}
	if p.Kill != nil {
		p.Kill.Log, p.Kill.LogHidden = log.killed(filepath.Base(g.dir))
	}
	s.watch.Ended(p)
	return p, nil
}

// unlimited runs the allocator without a limit, as far as was asked for.
func (s *show) unlimited(ctx context.Context) (p Phase, err error) {
	g, err := makeGroup(s.place, s.place.name)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, g.remove()) }()
	p = Phase{Cgroup: g.dir, Samples: []Sample{}}
	l := &life{show: s, phase: &p, group: g, home: g, total: s.NoLimit}
	if err := l.live(ctx, nil); err != nil {
		return p, err
	}
	s.watch.Ended(p)
	return p, nil
}

// judge says whether the kill fell where it should: at the limit, within one
// step, as the kernel counts.
func (r *Result) judge() {
	p := r.Limited
	switch {
	case p.Kill == nil && p.Status == 128+int(unix.SIGKILL):
		r.Verdict = "killed, but not by the OOM killer: its counter is 0"
	case p.Kill == nil:
		r.Verdict = fmt.Sprintf("not killed: it took %s within a limit of %s",
			Bytes(p.Last().Taken), Bytes(p.Limit))
	default:
		r.Verdict, r.AsTold = p.within(r.Step)
	}
}

// within says whether a kill fell within one step of the limit, by the most
// that was charged and by what was charged before the last step. A step takes
// a few pages more than its own, for page tables.
func (p Phase) within(step int64) (verdict string, ok bool) {
	const tables = LeastStep
	at := p.Peak
	if at == 0 { // a kernel that keeps no maximum
		at = p.Last().Usage
	}
	verdict = fmt.Sprintf("killed at %s of %s", Bytes(at), Bytes(p.Limit))
	before := p.Limit - p.Last().Usage
	switch {
	case at > p.Limit+step || at < p.Limit-step:
		return verdict + ": more than a step off", false
	case before > step+tables:
		return verdict + ", but before the last step were free " + Bytes(before), false
	case p.Status != 128+int(unix.SIGKILL):
		return verdict + fmt.Sprintf(", but the status is %d", p.Status), false
	}
	return verdict, true
}

// since is how long ago, in whole milliseconds.
func since(began, now time.Time) int64 { return now.Sub(began).Milliseconds() }

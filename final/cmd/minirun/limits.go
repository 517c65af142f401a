package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"lab/final/internal/cgroup"
	"lab/final/internal/runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// output runs a program and returns what it prints.
func output(name string, args ...string) (string, error) {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(text), nil
}

// one is a verb that takes nothing but a container's name.
func one(name string, args []string, do func(id string) error) (int, error) {
	flags := newFlags(name)
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	return 0, in(name, do(flags.Arg(0)))
}

// pause stops all processes of a container.
func (a *app) pause(args []string) (int, error) { return one("pause", args, a.rt.Pause) }

// resume lets them go on.
func (a *app) resume(args []string) (int, error) { return one("resume", args, a.rt.Resume) }

// update changes the limits of a container.
func (a *app) update(args []string) (int, error) {
	flags := newFlags("update")
	file := flags.String("resources", "", "")
	flags.StringVar(file, "r", "", "")
	numbers := limitFlags(flags)
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	resources, err := numbers.resources(flags)
	if *file != "" {
		resources, err = readResources(*file)
	}
	if err != nil {
		return 0, in("update", err)
	}
	return 0, in("update", a.rt.Update(flags.Arg(0), resources))
}

// readResources reads limits from a file, or from the standard input if that is -.
func readResources(path string) (*specs.LinuxResources, error) {
	read := func() ([]byte, error) { return os.ReadFile(path) }
	if path == "-" {
		read = func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	}
	text, err := read()
	if err != nil {
		return nil, err
	}
	return runtime.ParseResources(text)
}

// limits are the flags of update.
type limits struct {
	memory, reservation, swap, quota, pids, idle int64
	shares, period, burst                        uint64
	cpus, mems                                   string
}

// limitFlags adds them.
func limitFlags(flags *flag.FlagSet) *limits {
	l := &limits{}
	flags.Int64Var(&l.memory, "memory", 0, "")
	flags.Int64Var(&l.reservation, "memory-reservation", 0, "")
	flags.Int64Var(&l.swap, "memory-swap", 0, "")
	flags.Uint64Var(&l.shares, "cpu-share", 0, "")
	flags.Int64Var(&l.quota, "cpu-quota", 0, "")
	flags.Uint64Var(&l.period, "cpu-period", 0, "")
	flags.Uint64Var(&l.burst, "cpu-burst", 0, "")
	flags.Int64Var(&l.idle, "cpu-idle", 0, "")
	flags.StringVar(&l.cpus, "cpuset-cpus", "", "")
	flags.StringVar(&l.mems, "cpuset-mems", "", "")
	flags.Int64Var(&l.pids, "pids-limit", 0, "")
	return l
}

// resources are the limits of those flags that were given.
func (l *limits) resources(flags *flag.FlagSet) (*specs.LinuxResources, error) {
	r := &specs.LinuxResources{
		Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{Cpus: l.cpus, Mems: l.mems},
	}
	given := 0
	flags.Visit(func(f *flag.Flag) {
		given++
		switch f.Name {
		case "memory":
			r.Memory.Limit = &l.memory
		case "memory-reservation":
			r.Memory.Reservation = &l.reservation
		case "memory-swap":
			r.Memory.Swap = &l.swap
		case "cpu-share":
			r.CPU.Shares = &l.shares
		case "cpu-quota":
			r.CPU.Quota = &l.quota
		case "cpu-period":
			r.CPU.Period = &l.period
		case "cpu-burst":
			r.CPU.Burst = &l.burst
		case "cpu-idle":
			r.CPU.Idle = &l.idle
		case "pids-limit":
			r.Pids = &specs.LinuxPids{Limit: &l.pids}
		}
	})
	if given == 0 {
		return nil, fmt.Errorf("%w: there is nothing to change", errUsage)
	}
	return r, nil
}

// event is a line of `events`.
type event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data any    `json:"data,omitempty"`
}

// events prints what a container uses, again and again, and when memory has run out;
// with --stats once.
func (a *app) events(args []string) (int, error) {
	flags := newFlags("events")
	once := flags.Bool("stats", false, "")
	const usual = 5 * time.Second
	interval := flags.Duration("interval", usual, "")
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	if *interval <= 0 {
		return 0, fmt.Errorf("%w: --interval %s is no time", errUsage, *interval)
	}
	id := flags.Arg(0)
	if *once {
		return 0, in("events", a.stats(id))
	}
	return 0, in("events", a.stream(id, *interval))
}

// stats prints what a container uses, in one line.
func (a *app) stats(id string) error {
	stats, err := a.rt.Stats(id)
	if err != nil {
		return err
	}
	return a.line(event{"stats", id, stats})
}

// tell passes on each time that memory has run out, until the container has ended.
func tell(watch *cgroup.OOM, ooms chan<- struct{}) {
	defer close(ooms)
	for {
		if again, err := watch.Wait(); err != nil || !again {
			return
		}
		ooms <- struct{}{}
	}
}

// stream prints events until the container has ended.
func (a *app) stream(id string, interval time.Duration) error {
	watch, err := a.rt.WatchOOM(id)
	if err != nil {
		return err
	}
	defer watch.Close()
	ooms := make(chan struct{})
	go tell(watch, ooms)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case _, more := <-ooms:
			if !more {
				return nil
			}
			if err := a.line(event{Type: "oom", ID: id}); err != nil {
				return err
			}
		case <-tick.C:
			err := a.stats(id)
			if errors.Is(err, runtime.ErrNotRunning) || errors.Is(err, runtime.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

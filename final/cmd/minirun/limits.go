package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"lab/final/internal/cgroup"
	"lab/final/internal/object"
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
	file := flags.String("resources", "", "take them from `FILE` as JSON; or -, from stdin")
	flags.StringVar(file, "r", "", "")
	resources := limitFlags(flags)
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	if flags.NFlag() == 0 {
		return 0, fmt.Errorf("%w: there is nothing to change", errUsage)
	}
	if *file != "" {
		var err error
		if resources, err = readResources(*file); err != nil {
			return 0, in("update", err)
		}
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
	resources := &specs.LinuxResources{}
	if err := object.Read(text, resources); err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	return resources, nil
}

// limitFlags are the flags of update, and the limits that they will have set.
func limitFlags(flags *flag.FlagSet) *specs.LinuxResources {
	m, c, p := &specs.LinuxMemory{}, &specs.LinuxCPU{}, &specs.LinuxPids{}
	limitFlag(flags, "memory", "at most `BYTES` of memory", &m.Limit)
	limitFlag(flags, "memory-reservation", "give back down to `BYTES` if need be", &m.Reservation)
	limitFlag(flags, "memory-swap", "at most `BYTES` of memory and swap together", &m.Swap)
	limitFlag(flags, "cpu-share", "compute by `WEIGHT` among others; 1024 is usual", &c.Shares)
	limitFlag(flags, "cpu-quota", "compute at most `MICROSECONDS` of each period", &c.Quota)
	limitFlag(flags, "cpu-period", "have periods of `MICROSECONDS`", &c.Period)
	limitFlag(flags, "cpu-burst", "save at most `MICROSECONDS` for later periods", &c.Burst)
	limitFlag(flags, "cpu-idle", "with `1` compute only when nobody else does", &c.Idle)
	limitFlag(flags, "pids-limit", "at most `N` processes and threads", &p.Limit)
	flags.StringVar(&c.Cpus, "cpuset-cpus", "", "use the processors of `LIST`, as 0-2,4")
	flags.StringVar(&c.Mems, "cpuset-mems", "", "take memory of the nodes of `LIST`")
	return &specs.LinuxResources{Memory: m, CPU: c, Pids: p}
}

// limitFlag is one whose number is noted only if it is given.
func limitFlag[N int64 | uint64](flags *flag.FlagSet, name, does string, to **N) {
	flags.Var(&limitValue[N]{to}, name, does)
}

// limitValue is where such a number goes.
type limitValue[N int64 | uint64] struct{ to **N }

// String is there for the flag package: no number is the default.
func (v *limitValue[N]) String() string { return "" }

// Set notes the number.
func (v *limitValue[N]) Set(text string) error {
	*v.to = new(N)
	if json.Unmarshal([]byte(text), *v.to) != nil {
		return errors.New("it is no number")
	}
	return nil
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
	once := flags.Bool("stats", false, "once, and not what happens")
	const usual = 5 * time.Second
	interval := flags.Duration("interval", usual, "tell it each `TIME`")
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

//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
)

// asked is what the flags of a run ask for.
type asked struct {
	memory  int64 // bytes
	pids    int
	percent float64 // of one CPU
}

// limitsWritten asks for random limits and reads the kernel's files.
func limitsWritten(ctx context.Context, s *Subject) error {
	memory, pids, cpus := 24+s.Rand.IntN(40), 40+s.Rand.IntN(60), 20+s.Rand.IntN(150)
	want := asked{int64(memory) << 20, pids, float64(cpus)}
	flags := func() []string {
		return []string{
			"-memory", fmt.Sprintf("%dM", memory), "-pids", strconv.Itoa(pids),
			"-cpus", fmt.Sprintf("%d.%02d", cpus/100, cpus%100),
		}
	}
	return limited(flags, func(h *Held, found groups) error {
		wrong, err := want.misses(h, found)
		if err != nil || len(wrong) == 0 {
			return err
		}
		late := comes(func() bool {
			left, err := want.misses(h, found)
			return err == nil && len(left) == 0
		})
		f := wrong[0]
		switch {
		case late:
			f.Mistake = "limit-after-start"
			f.Diagnosis = "The limit was written when the command ran already: whatever it took " +
				"until then was not limited. Write the limits, join, and start it then."
		case len(wrong) == 3 && unlimited(found):
			f.Mistake = "no-limit-written"
			f.Diagnosis = "The container is in cgroups of its own, and no limit was written " +
				"to any of them."
		}
		return f
	})(ctx, s)
}

// unlimited reports whether none of the cgroups has a limit.
func unlimited(found groups) bool {
	for _, controller := range limitControllers() {
		if limited, err := found[controller].isLimited(); err != nil || limited {
			return false
		}
	}
	return true
}

// misses compares the kernel's files with what was asked for.
func (want asked) misses(h *Held, found groups) ([]*Failure, error) {
	memory, errMemory := want.missesMemory(h, found["memory"])
	pids, errPIDs := want.missesPIDs(h, found["pids"])
	cpus, errCPUs := want.missesCPUs(h, found["cpu"])
	var wrong []*Failure
	for _, f := range []*Failure{memory, pids, cpus} {
		if f != nil {
			wrong = append(wrong, f)
		}
	}
	return wrong, errors.Join(errMemory, errPIDs, errCPUs)
}

// wrongLimit begins a failure about one file of a cgroup.
func wrongLimit(h *Held, g group, file, want, got string) *Failure {
	return &Failure{
		Command: h.Command, Expected: file + " holds " + want,
		Kernel: fmt.Sprintf("%s/%s holds %q", g.dir, file, got),
		Look:   fmt.Sprintf("cat %s/%s", g.byHand(h), file),
	}
}

// onParent names the mistake of a limit that the cgroup around this one has.
func (f *Failure) onParent(g group, file string) {
	f.Kernel += fmt.Sprintf(", and %s/%s holds it", g.parent().dir, file)
	f.Mistake = "limit-on-the-parent"
	f.Diagnosis = "The limit was written to the cgroup around the container's: " +
		"it holds for everybody in there, the program and its caller as well."
}

// missesMemory reads the limit of memory, which the kernel rounds to pages.
func (want asked) missesMemory(h *Held, g group) (*Failure, error) {
	file := g.file("memory.limit_in_bytes", "memory.max")
	text := strconv.FormatInt(want.memory, 10)
	got, err := g.text(file)
	if err != nil || got == text {
		return nil, err
	}
	f := wrongLimit(h, g, file, text, got)
	bytes, _ := strconv.ParseInt(got, 10, 64) // the word max is 0
	decimal := want.memory >> 20 * 1_000_000
	switch around, err := g.parent().text(file); {
	case err != nil:
		return nil, err
	case around == text:
		f.onParent(g, file)
	case !bounded(got):
		f.Mistake = "memory-limit-not-written"
		f.Diagnosis = "The container's cgroup has no limit of memory."
	case bytes <= decimal && decimal-bytes < 1<<16:
		f.Mistake = "memory-unit-is-decimal"
		f.Diagnosis = "The letter M was taken for a million bytes: it stands for 1024 times 1024."
	default:
		f.Mistake = "memory-limit-wrong"
		f.Diagnosis = "There is a limit of memory, and not the one that was asked for."
	}
	return f, nil
}

// missesPIDs reads the limit of processes.
func (want asked) missesPIDs(h *Held, g group) (*Failure, error) {
	const file = "pids.max"
	text := strconv.Itoa(want.pids)
	got, err := g.text(file)
	if err != nil || got == text {
		return nil, err
	}
	f := wrongLimit(h, g, file, text, got)
	switch around, err := g.parent().text(file); {
	case err != nil:
		return nil, err
	case around == text:
		f.onParent(g, file)
	case !bounded(got):
		f.Mistake = "pids-limit-not-written"
		f.Diagnosis = "The container's cgroup has no limit of processes."
	default:
		f.Mistake = "pids-limit-wrong"
		f.Diagnosis = "There is a limit of processes, and not the one that was asked for."
	}
	return f, nil
}

// missesCPUs reads the quota and its period.
func (want asked) missesCPUs(h *Held, g group) (*Failure, error) {
	got, err := g.percent()
	if err != nil || math.Abs(got-want.percent) < 0.1 {
		return nil, err
	}
	file := g.file("cpu.cfs_quota_us", "cpu.max")
	f := &Failure{
		Command: h.Command, Expected: fmt.Sprintf("quota / period is %g %%", want.percent),
		Kernel: fmt.Sprintf("%s gives %g %%", filepath.Join(g.dir, file), got),
		Look:   fmt.Sprintf("cat %s/%s", g.byHand(h), file),
	}
	around, errParent := g.parent().percent()
	weight, usual, errWeight := g.weight()
	switch {
	case got == 0 && math.Abs(around-want.percent) < 0.1:
		f.onParent(g, file)
	case got == 0 && weight != usual:
		f.Kernel = fmt.Sprintf("%s has no quota; the weight is %s in place of %s",
			filepath.Join(g.dir, file), weight, usual)
		f.Mistake = "cpu-weight-for-quota"
		f.Diagnosis = "A weight shares out a CPU that others want as well, and limits nobody " +
			"who is alone. A limit is a quota of each period."
	case got == 0:
		f.Kernel = filepath.Join(g.dir, file) + " has no quota"
		f.Mistake = "cpu-quota-not-written"
		f.Diagnosis = "The container's cgroup has no quota of CPU time."
	default:
		f.Mistake = "cpu-quota-wrong"
		f.Diagnosis = fmt.Sprintf("The quota is %.3g times what was asked for: it is the part of "+
			"each period, in microseconds, that all CPUs together may spend.", got/want.percent)
	}
	return f, errors.Join(errParent, errWeight)
}

// swapLimited reads the limit that counts swap: on version 1 memory and swap
// together, on version 2 swap alone.
func swapLimited(h *Held, found groups) error {
	g := found["memory"]
	file, want := "memory.swap.max", "0"
	if g.version == 1 {
		file, want = "memory.memsw.limit_in_bytes", strconv.Itoa(40<<20)
	}
	got, err := g.text(file)
	if err != nil || got == want {
		return err
	}
	if got == "" {
		return Skip("need swap accounting: this kernel has no " + file +
			": boot it with swapaccount=1")
	}
	f := wrongLimit(h, g, file, want, got)
	if bounded(got) {
		f.Mistake = "swap-on-top"
		f.Diagnosis = "The container may swap out as much as was written here, on top of its " +
			"limit. Version 1 counts memory and swap together, version 2 swap alone."
		return f
	}
	f.Mistake = "swap-unlimited"
	f.Diagnosis = "What does not fit into the limit of memory goes to swap: " +
		"no process is killed, the machine gets slow instead."
	return f
}

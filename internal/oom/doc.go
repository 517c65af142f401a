// Package oom shows the memory limit of a cgroup at work: a small program takes
// memory step by step until the kernel kills it, once within a limit and once
// without. What is told is the kernel's own: the cgroup's usage after each
// step, the event by which it makes an OOM kill known, its counters, and its
// log where that may be read.
//
//	result, err := oom.Run(ctx, options, watch)
//
// See cgroups(7), Documentation/admin-guide/cgroup-v1/memory.rst and
// cgroup-v2.rst of the kernel.
package oom

import (
	"errors"
	"time"
)

// Options is what is to be shown.
type Options struct {
	Limit   int64         // bytes
	Step    int64         // bytes that are taken at a time
	Every   time.Duration // between two steps
	NoLimit int64         // how much is taken without a limit; 0 leaves that out
	Swap    bool          // allow as much swap as memory
	Attach  bool          // start outside of the cgroup and put the process in later
}

// Limits of what makes sense: a Go program needs a few MiB to start with, and
// the kernel charges up to 64 pages for each CPU ahead.
const (
	LeastLimit = 8 << 20
	LeastStep  = 64 << 10
	mostSteps  = 100_000
)

// ErrNoCgroup means that this process may make no memory cgroup.
var ErrNoCgroup = errors.New("no cgroup can be made here")

// Sample is what was read after a step.
type Sample struct {
	Milliseconds int64 `json:"ms"`    // since the allocator was ready
	Taken        int64 `json:"taken"` // bytes that the allocator asked for and touched
	Usage        int64 `json:"usage"` // bytes charged to the cgroup
	Hits         int64 `json:"hits"`  // how often the limit was in the way: failcnt, or max
	PSS          int64 `json:"pss"`   // bytes of /proc/PID/smaps_rollup; 0 if not readable
	Swap         int64 `json:"swap"`  // bytes charged to the cgroup that are swapped out
	Old          int64 `json:"old"`   // bytes still charged to the cgroup it was attached from
}

// Phase is one allocator's life.
type Phase struct {
	Cgroup string `json:"cgroup"`
	Limit  int64  `json:"limit"` // 0 is none
	// Base is the usage before the first step: the program itself.
	Base    int64    `json:"base"`
	Samples []Sample `json:"samples"`
	// Attached is the number of samples before the process was attached.
	Attached int `json:"attached"`
	// Status is how it ended, as a shell tells it: 137 is SIGKILL.
	Status int   `json:"status"`
	Peak   int64 `json:"peak"` // the kernel's own maximum; 0 if it keeps none
	Kill   *Kill `json:"kill"` // null if it was not killed
}

// Kill is an OOM kill, in the kernel's words.
type Kill struct {
	Milliseconds int64  `json:"ms"`        // when the event came
	Event        string `json:"event"`     // what it was learned from
	OOMKills     int64  `json:"oom_kills"` // the kernel's counter afterwards
	Hits         int64  `json:"hits"`
	Log          string `json:"log"`        // the line of the kernel's log
	LogHidden    string `json:"log_hidden"` // why there is none
}

// Result is the whole demonstration.
type Result struct {
	Version  int      `json:"version"` // of the memory controller's hierarchy
	Step     int64    `json:"step"`
	Attach   bool     `json:"attach"`
	Swap     string   `json:"swap"` // what holds for swap, in words
	Limited  Phase    `json:"limited"`
	Contrast *Phase   `json:"contrast"` // the same without a limit; null if left out
	Verdict  string   `json:"verdict"`
	AsTold   bool     `json:"as_told"` // whether the kill fell where it should
	Warnings []string `json:"warnings"`
}

// Last returns the last sample, the zero one if there is none.
func (p Phase) Last() Sample {
	if len(p.Samples) == 0 {
		return Sample{}
	}
	return p.Samples[len(p.Samples)-1]
}

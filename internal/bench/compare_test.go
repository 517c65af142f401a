//go:build linux

package bench

import (
	"fmt"
	"testing"
	"time"
)

// target is a ratio that minirun's time to a peer's is to stay below, from DESIGN.md.
type target struct {
	what string
	peer string
	most float64
	// rested: only a machine at rest shows it, for a busy one ends grace periods by itself.
	rested bool
}

// cost is what a run took. Of several it is the median by the clock, and the least of the
// processor's time, which depends least on what else the machine does.
type cost struct{ clock, processor time.Duration }

// compare measures something with minirun and its peers in turns, prints the medians and
// ratios beside the targets, and fails where a ratio is above twice its target: only then,
// and only if it is so in three rounds, for machines are shared.
func (all *bundles) compare(once func(name string) cost, targets ...target) {
	all.b.Helper()
	const rounds = 3
	for round := 1; round <= rounds; round++ {
		costs := all.turns(once, targets)
		over := 0
		for _, t := range targets {
			if all.judge(t, costs) {
				over++
			}
		}
		if over == 0 {
			break
		}
		if round == rounds {
			all.b.Errorf("%s: more than twice the target", targets[0].what)
		}
	}
	all.b.ReportMetric(0, "ns/op") // says nothing here
}

// turns measures something with each runtime in turns and returns what it
// costs.
func (all *bundles) turns(once func(name string) cost, targets []target) map[string]cost {
	all.b.Helper()
	names := []string{"minirun"}
	for _, t := range targets {
		names = append(names, t.peer)
	}
	clocks, costs := map[string][]float64{}, map[string]cost{}
	for range all.times {
		for _, name := range names {
			took := once(name)
			clocks[name] = append(clocks[name], float64(took.clock))
			if c := costs[name]; c.processor == 0 || took.processor < c.processor {
				costs[name] = took
			}
		}
	}
	for name, all := range clocks {
		costs[name] = cost{time.Duration(median(all)), costs[name].processor}
	}
	return costs
}

// judge prints a ratio beside its target and reports whether it is above twice of it. The
// short form is for machines that others use, too: there both clock and processor have to
// say so, and what takes a machine at rest is printed and no more.
func (all *bundles) judge(t target, costs map[string]cost) bool {
	ours, theirs := costs["minirun"], costs[t.peer]
	ratio := float64(ours.clock) / float64(theirs.clock)
	processor := float64(ours.processor) / float64(theirs.processor)
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fmt.Printf("  %-34s minirun %8.2f ms   %-4s %8.2f ms   ratio %.2f   target %.2f"+
		"   processor %.2f\n", t.what, milliseconds(ours.clock), t.peer,
		milliseconds(theirs.clock), ratio, t.most, processor)
	all.b.ReportMetric(ratio, "of-"+t.peer)
	if testing.Short() {
		return !t.rested && min(ratio, processor) > 2*t.most
	}
	return ratio > 2*t.most
}

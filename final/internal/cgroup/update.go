package cgroup

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Merge returns resources with changes: what these do not name, or name with the 0 that
// clients write where they mean nothing, is as it was. The result can be compiled as a
// whole, since version 2 has some settings in one file: to "50000 100000" in cpu.max a
// period alone would lift the quota.
func Merge(old, changes *specs.LinuxResources) (*specs.LinuxResources, error) {
	var trees [2]map[string]any
	for i, r := range []*specs.LinuxResources{old, withoutZeros(changes)} {
		text, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("merge resources: %w", err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber() // no number loses a digit
		if err := decoder.Decode(&trees[i]); err != nil {
			return nil, fmt.Errorf("merge resources: %w", err)
		}
	}
	text, err := json.Marshal(graft(trees[0], trees[1]))
	if err != nil {
		return nil, fmt.Errorf("merge resources: %w", err)
	}
	merged := &specs.LinuxResources{}
	return merged, json.Unmarshal(text, merged)
}

// graft puts the branches of one tree of JSON into another. A list replaces a list.
func graft(tree, branches map[string]any) map[string]any {
	if tree == nil {
		return branches
	}
	for name, branch := range branches {
		under, isTree := tree[name].(map[string]any)
		more, grows := branch.(map[string]any)
		if isTree && grows {
			branch = graft(under, more)
		}
		tree[name] = branch
	}
	return tree
}

// withoutZeros is a copy in which the limits are left out that isSet takes for none.
func withoutZeros(r *specs.LinuxResources) *specs.LinuxResources {
	changes := *r
	if r.Memory != nil {
		m := *r.Memory
		dropZeros(&m.Limit, &m.Swap, &m.Reservation, &m.KernelTCP)
		changes.Memory = &m
	}
	if r.CPU != nil {
		c := *r.CPU
		dropZeros(&c.Quota, &c.RealtimeRuntime)
		dropZeros(&c.Shares, &c.Period, &c.RealtimePeriod)
		changes.CPU = &c
	}
	return &changes
}

// dropZeros forgets pointers to 0.
func dropZeros[N int64 | uint64](all ...**N) {
	for _, p := range all {
		if *p != nil && **p == 0 {
			*p = nil
		}
	}
}

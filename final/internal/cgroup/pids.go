package cgroup

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// pidsMax limits the processes and threads, with the same file on both versions. 0
// is a limit (runtime-spec, config-linux.md, "PIDs"): nothing more may be forked.
//
//	echo 64 > pids.max
func pidsMax(r *specs.LinuxResources) ([]Write, error) {
	if r.Pids == nil || r.Pids.Limit == nil {
		return nil, nil
	}
	n := *r.Pids.Limit
	if n < unlimited {
		return nil, fmt.Errorf("%s: neither a number of tasks nor -1 for no limit",
			setting("pids.limit", n))
	}
	a := asked{controller: "pids"}
	a.add("pids.limit", "pids.max", orMax(n), n)
	return a.writes, nil
}

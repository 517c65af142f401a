package cgroup

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// cpusetOf chooses processors and memory nodes, with the same files on both versions.
// On version 1 a cgroup is born with neither and nobody can join it: Make copies both
// from the cgroup above, so that one of them may be left out here.
//
//	echo 0-3,7 > cpuset.cpus
//	echo 0 > cpuset.mems
func cpusetOf(r *specs.LinuxResources) ([]Write, error) {
	if r.CPU == nil {
		return nil, nil
	}
	a := asked{controller: "cpuset"}
	for _, s := range []struct{ name, list string }{
		{"cpus", r.CPU.Cpus},
		{"mems", r.CPU.Mems},
	} {
		if s.list == "" {
			continue
		}
		if strings.Trim(s.list, "0123456789,-") != "" {
			return nil, fmt.Errorf("%s: not a list such as 0-3,7", setting("cpu."+s.name, s.list))
		}
		a.add("cpu."+s.name, "cpuset."+s.name, s.list, s.list)
	}
	return a.writes, nil
}

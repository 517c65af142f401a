package cgroup

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// netClassV1 marks the container's packets. Version 2 has no such controller.
//
//	echo 1048577 > net_cls.classid
func netClassV1(r *specs.LinuxResources) ([]Write, error) {
	if r.Network == nil || r.Network.ClassID == nil {
		return nil, nil
	}
	id := *r.Network.ClassID
	a := asked{controller: "net_cls"}
	a.add("network.classID", "net_cls.classid", fmt.Sprint(id), id)
	return a.writes, nil
}

// netPriorityV1 gives the container's packets a priority on each interface.
//
//	echo "eth0 500" > net_prio.ifpriomap
func netPriorityV1(r *specs.LinuxResources) ([]Write, error) {
	if r.Network == nil {
		return nil, nil
	}
	a := asked{controller: "net_prio"}
	for _, p := range r.Network.Priorities {
		if p.Name == "" || strings.ContainsAny(p.Name, " \t\n") {
			return nil, fmt.Errorf("linux.resources.network.priorities: %q: "+
				"not the name of an interface", p.Name)
		}
		value := fmt.Sprintf("%s %d", p.Name, p.Priority)
		a.add("network.priorities", "net_prio.ifpriomap", value, value)
	}
	return a.writes, nil
}

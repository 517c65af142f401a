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
	return []Write{{
		Controller: "net_cls", File: "net_cls.classid", Value: fmt.Sprint(id),
		From: setting("network.classID", id),
	}}, nil
}

// netPriorityV1 gives the container's packets a priority on each interface.
//
//	echo "eth0 500" > net_prio.ifpriomap
func netPriorityV1(r *specs.LinuxResources) ([]Write, error) {
	if r.Network == nil {
		return nil, nil
	}
	var ws []Write
	for _, p := range r.Network.Priorities {
		if p.Name == "" || strings.ContainsAny(p.Name, " \t\n") {
			return nil, fmt.Errorf("linux.resources.network.priorities: %q: "+
				"not the name of an interface", p.Name)
		}
		value := fmt.Sprintf("%s %d", p.Name, p.Priority)
		ws = append(ws, Write{
			Controller: "net_prio", File: "net_prio.ifpriomap", Value: value,
			From: setting("network.priorities", value),
		})
	}
	return ws, nil
}

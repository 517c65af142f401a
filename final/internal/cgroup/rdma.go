package cgroup

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rdmaOf limits what is opened of each RDMA device, with the same file on both
// versions.
//
//	echo "mlx5_1 hca_handle=3 hca_object=10000" > rdma.max
func rdmaOf(r *specs.LinuxResources) ([]Write, error) {
	a := asked{controller: "rdma"}
	for _, device := range slices.Sorted(maps.Keys(r.Rdma)) {
		limits := r.Rdma[device]
		if device == "" || strings.ContainsAny(device, " \t\n") {
			return nil, fmt.Errorf("linux.resources.rdma: %q: not the name of a device", device)
		}
		value := device
		if limits.HcaHandles != nil {
			value += fmt.Sprintf(" hca_handle=%d", *limits.HcaHandles)
		}
		if limits.HcaObjects != nil {
			value += fmt.Sprintf(" hca_object=%d", *limits.HcaObjects)
		}
		if value == device {
			return nil, fmt.Errorf("linux.resources.rdma %s: neither hcaHandles nor hcaObjects",
				device)
		}
		a.add("rdma", "rdma.max", value, value)
	}
	return a.writes, nil
}

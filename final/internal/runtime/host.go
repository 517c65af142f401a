package runtime

import (
	"os"

	"lab/final/internal/caps"
	"lab/final/internal/cgroup"
	"lab/final/internal/plan"
)

// ReadHost looks at this machine, as far as the plan of a container depends on it.
func ReadHost() (plan.Host, error) {
	host, err := readRights()
	if err != nil {
		return host, err
	}
	host.Cgroups, err = cgroup.ReadHost()
	host.Rootless = host.Cgroups.Rootless
	return host, err
}

// readRights looks at what this process may grant. The plan of one more process in a
// container depends on nothing else.
func readRights() (plan.Host, error) {
	known, err := caps.Known()
	if err != nil {
		return plan.Host{}, err
	}
	own, err := caps.Own()
	if err != nil {
		return plan.Host{}, err
	}
	return plan.Host{Caps: known, Withheld: known &^ own, UID: uint32(os.Geteuid())}, nil
}

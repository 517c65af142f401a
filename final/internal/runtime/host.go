package runtime

import (
	"os"

	"lab/final/internal/caps"
	"lab/final/internal/cgroup"
	"lab/final/internal/plan"
)

// ReadHost looks at this machine, as far as a plan depends on it.
func ReadHost() (plan.Host, error) {
	cgroups, err := cgroup.ReadHost()
	if err != nil {
		return plan.Host{}, err
	}
	known, err := caps.Known()
	if err != nil {
		return plan.Host{}, err
	}
	own, err := caps.Own()
	if err != nil {
		return plan.Host{}, err
	}
	return plan.Host{
		Cgroups: cgroups, Caps: known, Withheld: known &^ own, UID: uint32(os.Geteuid()),
		Rootless: cgroups.Rootless,
	}, nil
}

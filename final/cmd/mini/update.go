package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/hint"
)

// newUpdate makes `mini update`.
func newUpdate(a *app) *cobra.Command {
	var f resourceFlags
	var asked engine.HostConfig
	cmd := &cobra.Command{
		Use:     "update FLAGS CONTAINER…",
		Short:   "Change a container's limits, also while it runs",
		GroupID: groupContainers,
		Args:    arguments(1, many),
	}
	f.add(cmd.Flags(), &asked)
	update := a.each("update", func(e *engine.Engine, c *engine.Container, word string) (
		string, error,
	) {
		return word, e.Update(c, func(h *engine.HostConfig) {
			for flag, set := range limits(h, &asked) {
				if cmd.Flags().Changed(flag) {
					set()
				}
			}
		})
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := f.read(&asked)
		given := false
		for flag := range limits(&asked, &asked) {
			given = given || cmd.Flags().Changed(flag)
		}
		if err == nil && !given {
			err = fmt.Errorf("%w: there is nothing to change", errUsage)
			err = hint.Add(err, "mini update --help")
		}
		if err != nil {
			return fmt.Errorf("update: %w", err)
		}
		return update(cmd, args)
	}
	return cmd
}

// limits are the limits by their flags: each puts what was asked for in the place of what
// there is. A number of processors and a quota say the same, so one takes the place of the
// other.
func limits(to, asked *engine.HostConfig) map[string]func() {
	return map[string]func(){
		"memory":      func() { to.Memory = asked.Memory },
		"memory-swap": func() { to.MemorySwap = asked.MemorySwap },
		"cpus": func() {
			to.NanoCpus, to.CPUPeriod, to.CPUQuota = asked.NanoCpus, 0, 0
		},
		"cpu-period":   func() { to.CPUPeriod, to.NanoCpus = asked.CPUPeriod, 0 },
		"cpu-quota":    func() { to.CPUQuota, to.NanoCpus = asked.CPUQuota, 0 },
		"cpu-shares":   func() { to.CPUShares = asked.CPUShares },
		"cpuset-cpus":  func() { to.CpusetCpus = asked.CpusetCpus },
		"cpuset-mems":  func() { to.CpusetMems = asked.CpusetMems },
		"pids-limit":   func() { to.PidsLimit = asked.PidsLimit },
		"blkio-weight": func() { to.BlkioWeight = asked.BlkioWeight },
		"restart":      func() { to.RestartPolicy = asked.RestartPolicy },
	}
}

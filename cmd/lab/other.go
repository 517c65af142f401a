//go:build !linux

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newRun makes `lab run NN`.
func newRun() *cobra.Command {
	return linuxOnly("run STEP [FLAGS] [--] [COMMAND [ARG…]]",
		"Run a command in the container of a step", groupRun)
}

// newTour makes `lab tour`.
func newTour() *cobra.Command {
	return linuxOnly("tour [STEP…]", "Show every step at work", groupRun)
}

// newOOM makes `lab oom`.
func newOOM() *cobra.Command {
	return linuxOnly("oom", "Show a memory limit, and the kill at its end", groupLook)
}

// newNS makes `lab ns`.
func newNS() *cobra.Command {
	return linuxOnly("ns [PID…]", "Who is in which namespace", groupLook)
}

// newInspect makes `lab inspect`.
func newInspect() *cobra.Command {
	return linuxOnly("inspect PID", "What a process shares with you, and what is isolated", groupLook)
}

// newMounts makes `lab mounts`.
func newMounts() *cobra.Command {
	return linuxOnly("mounts PID", "A process's mounts, beside yours, explained", groupLook)
}

// newCgroup makes `lab cgroup`.
func newCgroup() *cobra.Command {
	return linuxOnly("cgroup PID [CONTROLLER…]",
		"A process's cgroups: limits, usage and events, explained", groupLook)
}

// newLayers makes `lab layers`.
func newLayers() *cobra.Command {
	return linuxOnly("layers PID|DIR [LOWER…]",
		"An overlay explained: which layer each file comes from", groupLook)
}

// newClean makes `lab clean`.
func newClean() *cobra.Command {
	return linuxOnly("clean", "Undo what killed runs left", groupKeep)
}

// newTrace makes `lab trace`.
func newTrace() *cobra.Command {
	return linuxOnly("trace [FLAGS] [--] COMMAND [ARG…]",
		"The system calls that make a container, told while a command runs", groupLook)
}

// becomeTraced does nothing: there is no lab trace here.
func becomeTraced() {}

// linuxOnly makes a command that says where it works.
func linuxOnly(use, short, group string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, GroupID: group, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return hinted{
				errors.New("needs a Linux kernel"), "cd vagrant && vagrant up && vagrant ssh",
			}
		},
	}
}

// newCheck makes `lab check`.
func newCheck() *cobra.Command {
	return linuxOnly("check [STEP]", "Judge your program by what the kernel says", groupLearn)
}

// newDev makes `lab dev`.
func newDev() *cobra.Command {
	dev := linuxOnly("dev", "For work on the lab itself", "")
	dev.Hidden = true
	return dev
}

// newWatch makes `lab watch`.
func newWatch() *cobra.Command {
	return linuxOnly("watch [STEP]", "Check your program at each save", groupLearn)
}

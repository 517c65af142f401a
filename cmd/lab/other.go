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

// newNS makes `lab ns`.
func newNS() *cobra.Command {
	return linuxOnly("ns [PID…]", "Who is in which namespace", groupLook)
}

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

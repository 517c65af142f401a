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

// newClean makes `lab clean`.
func newClean() *cobra.Command {
	return linuxOnly("clean", "Undo what killed runs left", groupKeep)
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

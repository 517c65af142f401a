//go:build linux

package main

import (
	"github.com/spf13/cobra"
)

func newTour() *cobra.Command { return &cobra.Command{Use: "tour", GroupID: groupRun, RunE: func(*cobra.Command, []string) error { return nil }} }

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"lab/final/internal/engine"
	"lab/final/internal/image"
)

// healthFlags are the flags of how it is found out whether a container works.
type healthFlags struct {
	command string
	none    bool
	check   image.Healthcheck
}

// add adds them.
func (f *healthFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.command, "health-cmd", "", "a command in it that tells whether it works")
	flags.DurationVar(&f.check.Interval, "health-interval", 0, "time between two checks: 30s")
	flags.DurationVar(&f.check.Timeout, "health-timeout", 0, "time that a check may take: 30s")
	flags.IntVar(&f.check.Retries, "health-retries", 0, "how many fail before it is unhealthy: 3")
	flags.DurationVar(&f.check.StartPeriod, "health-start-period", 0,
		"time at the beginning in which a failure does not count")
	flags.DurationVar(&f.check.StartInterval, "health-start-interval", 0,
		"time between two checks then")
	flags.BoolVar(&f.none, "no-healthcheck", false, "check nothing, whatever the image says")
}

// read reads what was written.
func (f *healthFlags) read(flags *pflag.FlagSet, r *engine.Request) error {
	given := false
	flags.Visit(func(flag *pflag.Flag) {
		given = given || strings.HasPrefix(flag.Name, "health-")
	})
	c := &f.check
	switch {
	case f.none && given:
		return fmt.Errorf("%w: --no-healthcheck and --health-… exclude each other", errUsage)
	case c.Interval < 0 || c.Timeout < 0 || c.StartPeriod < 0 || c.StartInterval < 0 ||
		c.Retries < 0:
		return fmt.Errorf("%w: --health-…: a time or number is negative", errUsage)
	case f.none:
		c.Test = []string{"NONE"}
	case f.command != "":
		c.Test = []string{"CMD-SHELL", f.command}
	case !given:
		return nil
	}
	r.Config.Healthcheck = c
	return nil
}

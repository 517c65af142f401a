//go:build linux

package engine

import (
	"cmp"
	"encoding/json"
	"time"

	"lab/final/internal/image"
	"lab/final/internal/monitor"
)

// mergeHealth puts what was asked for over what the image says of a health check.
func mergeHealth(from, asked *image.Healthcheck) *image.Healthcheck {
	if from == nil || asked == nil {
		return cmp.Or(asked, from)
	}
	h := *from
	if len(asked.Test) > 0 {
		h.Test = asked.Test
	}
	h.Interval = cmp.Or(asked.Interval, h.Interval)
	h.Timeout = cmp.Or(asked.Timeout, h.Timeout)
	h.StartPeriod = cmp.Or(asked.StartPeriod, h.StartPeriod)
	h.StartInterval = cmp.Or(asked.StartInterval, h.StartInterval)
	h.Retries = cmp.Or(asked.Retries, h.Retries)
	return &h
}

// healthCheck is what the monitor does to find out whether a container works; nil if it
// does nothing. The first word of a test tells its form: NONE, CMD or CMD-SHELL.
func healthCheck(c *Container) *monitor.Check {
	h := c.Config.Healthcheck
	if h == nil || len(h.Test) < 2 {
		return nil
	}
	args := h.Test[1:]
	if h.Test[0] == "CMD-SHELL" {
		args = []string{"/bin/sh", "-c", h.Test[1]}
	}
	process, err := json.Marshal(Exec{Args: args})
	if err != nil {
		return nil // words are always JSON
	}
	return &monitor.Check{
		Process: process, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval,
		Interval: cmp.Or(h.Interval, 30*time.Second),
		Timeout:  cmp.Or(h.Timeout, 30*time.Second), Retries: cmp.Or(h.Retries, 3),
	}
}

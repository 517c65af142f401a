//go:build linux

package monitor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// How long a monitor waits before it starts a container again: each time twice as long,
// until one start was worth it.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = time.Minute
	longRun    = 10 * time.Second
)

// Restart is a restart policy.
type Restart struct {
	Name              string // no, on-failure, always, unless-stopped
	MaximumRetryCount int    // of on-failure; 0 is no limit
}

// ParseRestart reads one as it is written: on-failure:5.
func ParseRestart(text string) (Restart, error) {
	name, most, limited := strings.Cut(text, ":")
	r := Restart{Name: name}
	switch {
	case name == "":
		r.Name = "no"
	case name != "no" && name != "on-failure" && name != "always" && name != "unless-stopped":
		return r, fmt.Errorf("restart policy %q is none of no, on-failure[:N], always, "+
			"unless-stopped", text)
	}
	if !limited {
		return r, nil
	}
	var err error
	if r.MaximumRetryCount, err = strconv.Atoi(most); err != nil || r.MaximumRetryCount < 0 ||
		name != "on-failure" {
		return r, fmt.Errorf("restart policy %q: a number of tries belongs to on-failure alone "+
			"and is not negative", text)
	}
	return r, nil
}

// again tells whether a container that ended with a status is to be started once more.
func (r Restart) again(status, tries int) bool {
	switch r.Name {
	case "always", "unless-stopped":
		return true
	case "on-failure":
		return status != 0 && (r.MaximumRetryCount == 0 || tries < r.MaximumRetryCount)
	}
	return false
}

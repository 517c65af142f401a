//go:build linux

package engine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/final/internal/cgroup"
)

// Usage is what a running container uses.
type Usage struct {
	cgroup.Stats

	At             time.Time
	Received, Sent uint64 // bytes, by its networks
}

// Usage reads what a running container uses now.
func (e *Engine) Usage(c *Container) (Usage, error) {
	if !c.State.Running {
		return Usage{}, ErrNotRunning
	}
	group, err := cgroup.Of(c.State.Pid)
	if err != nil {
		return Usage{}, ended(err)
	}
	u := Usage{At: time.Now()}
	if u.Stats, err = group.Stats(); err != nil {
		return Usage{}, ended(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", c.State.Pid))
	if err != nil {
		return Usage{}, ended(err)
	}
	if c.HostConfig.NetworkMode != "host" {
		u.Received, u.Sent = traffic(text)
	}
	return u, nil
}

// ended tells that a process is not there whose files are not.
func ended(err error) error { return fmt.Errorf("%w: %w", ErrNotRunning, err) }

// traffic adds up the bytes of all links but the loopback:
//
//	Inter-|   Receive                …  |  Transmit
//	 face |bytes    packets errs drop … multicast|bytes    packets …
//	    lo:       0       0    0    0 …         0        0       0 …
//	  eth0:    1110      13    0    0 …         0      936      11 …
//	        (1)                                  (9)
//
// (1) received, (9) sent.
func traffic(text []byte) (received, sent uint64) {
	for line := range bytes.Lines(text) {
		link, counters, isLink := strings.Cut(string(line), ":")
		fields := strings.Fields(counters)
		if !isLink || strings.TrimSpace(link) == "lo" || len(fields) < 9 {
			continue
		}
		in, _ := strconv.ParseUint(fields[0], 10, 64) // the kernel writes numbers
		out, _ := strconv.ParseUint(fields[8], 10, 64)
		received, sent = received+in, sent+out
	}
	return received, sent
}

// InUse is the memory that the container could not give back at once: all but the files
// that nobody has read for long, as docker counts it.
func (u *Usage) InUse() uint64 {
	idle, v1 := u.Memory.Raw["total_inactive_file"]
	if !v1 {
		idle = u.Memory.Raw["inactive_file"]
	}
	return u.Memory.Usage.Usage - min(idle, u.Memory.Usage.Usage)
}

// Disk adds up the bytes that went from and to block devices.
func (u *Usage) Disk() (read, written uint64) {
	for _, entry := range u.Blkio.IoServiceBytesRecursive {
		switch entry.Op {
		case "Read":
			read += entry.Value
		case "Write":
			written += entry.Value
		}
	}
	return read, written
}

// HostMemory is how much memory the machine has, which is the limit of what has none.
func HostMemory() (uint64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, fmt.Errorf("sysinfo: %w", err)
	}
	return info.Totalram * uint64(info.Unit), nil
}

//go:build linux

package engine

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// blockIO are the limits of block devices; nil if there are none.
func (h *HostConfig) blockIO() (*specs.LinuxBlockIO, error) {
	b := &specs.LinuxBlockIO{}
	limited := h.BlkioWeight > 0
	if limited {
		b.Weight = &h.BlkioWeight
	}
	for _, list := range []struct {
		from []Throttle
		to   *[]specs.LinuxThrottleDevice
	}{
		{h.BlkioDeviceReadBps, &b.ThrottleReadBpsDevice},
		{h.BlkioDeviceWriteBps, &b.ThrottleWriteBpsDevice},
		{h.BlkioDeviceReadIOps, &b.ThrottleReadIOPSDevice},
		{h.BlkioDeviceWriteIOps, &b.ThrottleWriteIOPSDevice},
	} {
		for _, t := range list.from {
			d := specs.LinuxThrottleDevice{Rate: t.Rate}
			var err error
			if d.Major, d.Minor, err = blockDevice(t.Path); err != nil {
				return nil, err
			}
			*list.to = append(*list.to, d)
			limited = true
		}
	}
	if !limited {
		return nil, nil //nolint:nilnil // No limit is none.
	}
	return b, nil
}

// blockDevice finds the numbers of a block device.
func blockDevice(path string) (major, minor int64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, fmt.Errorf("device %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, fmt.Errorf("device %s: %w", path, unix.ENOTBLK)
	}
	return int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev)), nil
}

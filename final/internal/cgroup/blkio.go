package cgroup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// blkioV1 weighs and limits the input and output of block devices. Which file weighs
// depends on the scheduler that the kernel has: BFQ's come with its name.
//
//	echo 500 > blkio.weight
//	echo "8:0 300" > blkio.weight_device
//	echo "8:0 1048576" > blkio.throttle.read_bps_device
//
// See cgroup-v1/blkio-controller.rst.
func blkioV1(r *specs.LinuxResources) ([]Write, error) {
	b := r.BlockIO
	if b == nil {
		return nil, nil
	}
	if err := checkBlockIO(b); err != nil {
		return nil, err
	}
	a := asked{controller: "blkio"}
	orBFQ := func() {
		w := &a.writes[len(a.writes)-1]
		instead := *w
		instead.File = strings.Replace(w.File, "blkio.", "blkio.bfq.", 1)
		w.Instead = &instead
	}
	if b.Weight != nil && *b.Weight != 0 {
		a.add("blockIO.weight", "blkio.weight", fmt.Sprint(*b.Weight), *b.Weight)
		orBFQ()
	}
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		a.add("blockIO.leafWeight", "blkio.leaf_weight", fmt.Sprint(*b.LeafWeight), *b.LeafWeight)
	}
	for _, d := range b.WeightDevice {
		if d.Weight != nil {
			value := perDevice(d.LinuxBlockIODevice, *d.Weight)
			a.add("blockIO.weightDevice", "blkio.weight_device", value, value)
			orBFQ()
		}
		if d.LeafWeight != nil {
			value := perDevice(d.LinuxBlockIODevice, *d.LeafWeight)
			a.add("blockIO.weightDevice", "blkio.leaf_weight_device", value, value)
		}
	}
	for _, t := range throttles(b) {
		for _, d := range t.devices {
			value := perDevice(d.LinuxBlockIODevice, d.Rate)
			a.add("blockIO."+t.name, t.v1, value, value)
		}
	}
	return a.writes, nil
}

// ioV2 does the same on version 2.
//
//	echo "default 4950" > io.weight
//	echo "8:0 rbps=1048576" > io.max
func ioV2(r *specs.LinuxResources) ([]Write, error) {
	b := r.BlockIO
	if b == nil {
		return nil, nil
	}
	if err := checkBlockIO(b); err != nil {
		return nil, err
	}
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		return nil, fmt.Errorf("%s: cgroup version 2 has no such setting",
			setting("blockIO.leafWeight", *b.LeafWeight))
	}
	var ws []Write
	if b.Weight != nil && *b.Weight != 0 {
		ws = append(ws, ioWeight("default", *b.Weight, "blockIO.weight"))
	}
	for _, d := range b.WeightDevice {
		if d.LeafWeight != nil {
			return nil, errors.New("linux.resources.blockIO.weightDevice: leafWeight: " +
				"cgroup version 2 has no such setting")
		}
		if d.Weight != nil {
			device := fmt.Sprintf("%d:%d", d.Major, d.Minor)
			ws = append(ws, ioWeight(device, *d.Weight, "blockIO.weightDevice "+device))
		}
	}
	for _, t := range throttles(b) {
		for _, d := range t.devices {
			ws = append(ws, Write{
				Controller: "io", File: "io.max",
				Value: fmt.Sprintf("%d:%d %s=%s", d.Major, d.Minor, t.v2, rateOrMax(d.Rate)),
				From:  setting("blockIO."+t.name, perDevice(d.LinuxBlockIODevice, d.Rate)),
			})
		}
	}
	return ws, nil
}

// ioWeight weighs with BFQ's file, which has the same scale as version 1, or else
// with io.weight, from 1 to 10000: by a straight line through the ends of both scales
// (runc's and crun's conversion).
func ioWeight(device string, weight uint16, name string) Write {
	converted := 1 + (uint64(weight)-10)*9999/990
	from := setting(name, weight)
	return Write{
		Controller: "io", File: "io.bfq.weight", From: from,
		Value: fmt.Sprintf("%s %d", device, weight),
		Instead: &Write{
			Controller: "io", File: "io.weight",
			From:  fmt.Sprintf("%s, io.weight %d", from, converted),
			Value: fmt.Sprintf("%s %d", device, converted),
		},
	}
}

// throttle is one kind of limit per device.
type throttle struct {
	name, v1, v2 string
	devices      []specs.LinuxThrottleDevice
}

// throttles lists the four kinds: bytes or operations a second, read or written.
func throttles(b *specs.LinuxBlockIO) []throttle {
	const p = "blkio.throttle."
	return []throttle{
		{"throttleReadBpsDevice", p + "read_bps_device", "rbps", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", p + "write_bps_device", "wbps", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", p + "read_iops_device", "riops", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", p + "write_iops_device", "wiops", b.ThrottleWriteIOPSDevice},
	}
}

// checkBlockIO refuses weights that neither scale has.
func checkBlockIO(b *specs.LinuxBlockIO) error {
	check := func(name string, weight *uint16) error {
		if weight != nil && *weight != 0 && (*weight < 10 || *weight > 1000) {
			return fmt.Errorf("%s: not from 10 to 1000", setting("blockIO."+name, *weight))
		}
		return nil
	}
	if err := check("weight", b.Weight); err != nil {
		return err
	}
	for _, d := range b.WeightDevice {
		if d.Weight == nil && d.LeafWeight == nil {
			return fmt.Errorf("linux.resources.blockIO.weightDevice %d:%d: "+
				"neither weight nor leafWeight", d.Major, d.Minor)
		}
		if d.Weight != nil && *d.Weight == 0 {
			return fmt.Errorf("linux.resources.blockIO.weightDevice %d:%d: not from 10 to 1000",
				d.Major, d.Minor)
		}
		if err := check("weightDevice", d.Weight); err != nil {
			return err
		}
	}
	return check("leafWeight", b.LeafWeight)
}

// perDevice is a line of version 1's files: "8:0 1048576".
func perDevice[N uint16 | uint64](d specs.LinuxBlockIODevice, n N) string {
	return fmt.Sprintf("%d:%d %d", d.Major, d.Minor, n)
}

// rateOrMax is a rate, where config.json and version 1 say 0 for no limit.
func rateOrMax(rate uint64) string {
	if rate == 0 {
		return "max"
	}
	return fmt.Sprint(rate)
}

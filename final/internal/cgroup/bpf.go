//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Filter has an eBPF program decide about the container's devices, in the place of
// one that may be there. No rules are no program. It is called before anything runs
// in the cgroup, and to change the rules later.
//
// bpf(2) is called by hand, four of its commands: the usual library would cost each
// start of this program more than all of this package.
func (c *Cgroup) Filter(rules []Rule) error {
	if len(rules) == 0 {
		return nil
	}
	p, err := c.place("cgroup")
	if err != nil {
		return err
	}
	dir, err := unix.Open(p.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open cgroup %s: %w", p.Dir, err)
	}
	err = filterDevices(dir, deviceProgram(rules))
	_ = unix.Close(dir) // it was not written to
	if err != nil {
		return fmt.Errorf("filter the devices of %s: %w", p.Dir, err)
	}
	return nil
}

// filterDevices attaches the program and then detaches the ones before it. In between
// all of them decide, and what one forbids is forbidden.
func filterDevices(dir int, program []instruction) error {
	old, err := attachedPrograms(dir)
	if err != nil {
		return err
	}
	fd, err := loadProgram(program)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // the cgroup keeps the program
	attach := attachAttr{
		target: uint32(dir), program: uint32(fd),
		kind: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI,
	}
	_, err = bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attach), unsafe.Sizeof(attach))
	if err != nil {
		return fmt.Errorf("bpf BPF_PROG_ATTACH: %w", err)
	}
	for _, id := range old {
		if err := detachProgram(dir, id); err != nil {
			return err
		}
	}
	return nil
}

// loadAttr is the part of union bpf_attr for BPF_PROG_LOAD.
type loadAttr struct {
	kind     uint32
	count    uint32
	program  uint64 // address
	license  uint64 // address
	logLevel uint32
	logSize  uint32
	log      uint64 // address
	_        uint32
	flags    uint32
	name     [16]byte
}

// loadProgram hands the program to the verifier.
func loadProgram(program []instruction) (int, error) {
	license := []byte("Apache-2.0\x00") // no function is called that is for the GPL only
	var pin runtime.Pinner
	defer pin.Unpin()
	attr := loadAttr{
		kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(program)),
		program: address(&pin, &program[0]), license: address(&pin, &license[0]),
	}
	copy(attr.name[:], "minirun_devices")
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return -1, fmt.Errorf("bpf BPF_PROG_LOAD: %w", err)
	}
	return fd, nil
}

// attachAttr is the part of union bpf_attr for BPF_PROG_ATTACH and _DETACH.
type attachAttr struct{ target, program, kind, flags uint32 }

// detachProgram takes a program off the cgroup.
func detachProgram(dir int, id uint32) error {
	byID := struct{ id, next, flags uint32 }{id: id}
	fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&byID), unsafe.Sizeof(byID))
	if err != nil {
		return fmt.Errorf("bpf BPF_PROG_GET_FD_BY_ID: %w", err)
	}
	attr := attachAttr{target: uint32(dir), program: uint32(fd), kind: unix.BPF_CGROUP_DEVICE}
	_, err = bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	_ = unix.Close(fd)
	if err != nil {
		return fmt.Errorf("bpf BPF_PROG_DETACH: %w", err)
	}
	return nil
}

// queryAttr is the part of union bpf_attr for BPF_PROG_QUERY.
type queryAttr struct {
	target, kind, flags, attachFlags uint32
	ids                              uint64 // address
	count                            uint32
	_                                uint32
}

// attachedPrograms lists the programs that decide about this cgroup's devices
// already.
func attachedPrograms(dir int) ([]uint32, error) {
	ids := make([]uint32, 64) // BPF_CGROUP_MAX_PROGS
	var pin runtime.Pinner
	defer pin.Unpin()
	attr := queryAttr{
		target: uint32(dir), kind: unix.BPF_CGROUP_DEVICE,
		ids: address(&pin, &ids[0]), count: uint32(len(ids)),
	}
	_, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	switch {
	case errors.Is(err, unix.EINVAL):
		return nil, fmt.Errorf("bpf BPF_PROG_QUERY: the kernel needs CONFIG_CGROUP_BPF: %w", err)
	case err != nil:
		return nil, fmt.Errorf("bpf BPF_PROG_QUERY: %w", err)
	}
	return ids[:attr.count], nil
}

// bpf is bpf(2). The verifier may be interrupted by the signals that Go's runtime
// sends to its threads: EAGAIN then.
func bpf(command int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(attr), size)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EAGAIN && errno != unix.EINTR {
			return -1, errno
		}
	}
}

// address is a pointer as the kernel wants it inside of a structure, 64 bits wide. As
// a number Go's runtime does not know it, and must not move what it leads to.
func address[T any](pin *runtime.Pinner, p *T) uint64 {
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

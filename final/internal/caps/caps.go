//go:build linux

// Package caps gives a thread the five capability sets of an OCI configuration.
//
//	bounding     what no execve(2) gives back; thrown away one by one
//	permitted    what the thread may make effective
//	effective    what counts
//	inheritable  what an execve keeps if the file agrees
//	ambient      what an execve keeps by itself, without being root
//
// The order is the kernel's, and it is why there are two calls. Throwing out of the
// bounding set takes CAP_SETPCAP, which the new sets may lack, and a change of the
// user id clears sets:
//
//	sets, ignored := caps.FromSpec(process.Capabilities)
//	err := sets.Bound()        // prctl(PR_CAPBSET_DROP) and PR_SET_KEEPCAPS
//	…setgroups, setresgid, setresuid…
//	err = sets.Apply()         // capset(2), prctl(PR_CAP_AMBIENT)
//
// All of it concerns the calling thread alone, so the caller locks it. See
// capabilities(7), capset(2), prctl(2).
package caps

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"lab/final/internal/kernel"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Set is a set of capabilities: bit n is capability n of linux/capability.h.
type Set uint64

// Sets are the five of a thread.
type Sets struct {
	Bounding    Set `json:"bounding"`
	Effective   Set `json:"effective"`
	Permitted   Set `json:"permitted"`
	Inheritable Set `json:"inheritable"`
	Ambient     Set `json:"ambient"`
}

// Of is the set of these names, "CAP_CHOWN" and so on, and the names that are none.
func Of(names ...string) (set Set, unknown []string) {
	for _, name := range names {
		n, ok := number(name)
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		set |= 1 << n
	}
	return set, unknown
}

// Names lists the names in a set, in the kernel's order; what has no name yet is
// its number, as CAP_41 is.
func (s Set) Names() []string {
	var list []string
	for ; s != 0; s &= s - 1 {
		number := bits.TrailingZeros64(uint64(s))
		if number < len(names) {
			list = append(list, names[number])
		} else {
			list = append(list, "CAP_"+strconv.Itoa(number))
		}
	}
	return list
}

// FromSpec reads process.capabilities, and which of its names nobody can be granted: the
// specification wants a warning for those and no failure. Either there is none of that
// name, or it is effective without being permitted. One that is ambient without being
// permitted and inheritable is left out without a word: engines name all as ambient, and
// none as inheritable any longer. Without the object there are no capabilities.
func FromSpec(given *specs.LinuxCapabilities) (sets Sets, ignored []string) {
	if given == nil {
		return Sets{}, nil
	}
	for _, part := range []struct {
		set   *Set
		names []string
	}{
		{&sets.Bounding, given.Bounding},
		{&sets.Effective, given.Effective},
		{&sets.Permitted, given.Permitted},
		{&sets.Inheritable, given.Inheritable},
		{&sets.Ambient, given.Ambient},
	} {
		set, none := Of(part.names...)
		*part.set = set
		ignored = append(ignored, none...)
	}
	wanted := sets.Effective
	sets.Effective &= sets.Permitted
	sets.Ambient &= sets.Permitted & sets.Inheritable
	lost := wanted &^ sets.Effective
	return sets, append(ignored, lost.Names()...)
}

// And is what of the sets is also in other: what the kernel knows, for example.
func (s Sets) And(other Set) Sets {
	return Sets{
		Bounding: s.Bounding & other, Effective: s.Effective & other,
		Permitted: s.Permitted & other, Inheritable: s.Inheritable & other,
		Ambient: s.Ambient & other,
	}
}

// Known is the set of all capabilities that this kernel has.
//
//	/proc/sys/kernel/cap_last_cap: 40
func Known() (Set, error) {
	text, err := kernel.Read("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return 0, err
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 6)
	if err != nil {
		return 0, fmt.Errorf("read /proc/sys/kernel/cap_last_cap: %w", err)
	}
	return 1<<(last+1) - 1, nil
}

// Own is the set of all capabilities that this thread may have, and so may give.
func Own() (Set, error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0, fmt.Errorf("capget: %w", err)
	}
	return Set(data[1].Permitted)<<32 | Set(data[0].Permitted), nil
}

// Bound throws out of the thread's bounding set what is not in s.Bounding, and has
// the permitted set outlive the change of the user id that follows. Without
// CAP_SETPCAP that succeeds only where there is nothing to throw away.
func (s Sets) Bound() error {
	for number := range uintptr(64) {
		if s.Bounding&(1<<number) != 0 {
			continue
		}
		// The kernel says 0 or 1, and EINVAL from the first that it does not have.
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, number, 0, 0, 0)
		if err != nil {
			break
		}
		if has == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, number, 0, 0, 0); err != nil {
			return fmt.Errorf("drop %s from the bounding set: %w", Set(1 << number).Names()[0], err)
		}
	}
	// setpriv --keep-caps
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities when the user changes: %w", err)
	}
	return nil
}

// Apply sets the other four. What the thread does not have cannot be permitted, and
// only what is permitted and inheritable can be ambient: the kernel says EPERM.
func (s Sets) Apply() error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("do not keep capabilities any longer: %w", err)
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	halves := [2]unix.CapUserData{s.half(0), s.half(32)}
	if err := unix.Capset(&head, &halves[0]); err != nil {
		return fmt.Errorf("capset effective=%s permitted=%s inheritable=%s: %w",
			s.Effective, s.Permitted, s.Inheritable, err)
	}
	err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("clear the ambient set: %w", err)
	}
	for rest := s.Ambient; rest != 0; rest &= rest - 1 {
		number := uintptr(bits.TrailingZeros64(uint64(rest)))
		err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, number, 0, 0)
		if err != nil {
			return fmt.Errorf("make %s ambient: %w", Set(1 << number).Names()[0], err)
		}
	}
	return nil
}

// Powerless does something without any effective capability.
func Powerless(do func() error) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var own [2]unix.CapUserData
	if err := unix.Capget(&head, &own[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	none := own
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&head, &none[0]); err != nil {
		return fmt.Errorf("give up effective capabilities: %w", err)
	}
	err := do()
	if again := unix.Capset(&head, &own[0]); again != nil {
		err = errors.Join(err, fmt.Errorf("take effective capabilities back: %w", again))
	}
	return err
}

// half is one of the two 32-bit parts in which capset(2) takes its sets.
func (s Sets) half(shift uint) unix.CapUserData {
	return unix.CapUserData{
		Effective:   uint32(s.Effective >> shift),
		Permitted:   uint32(s.Permitted >> shift),
		Inheritable: uint32(s.Inheritable >> shift),
	}
}

// String is the set as /proc/PID/status shows it.
func (s Set) String() string { return fmt.Sprintf("%016x", uint64(s)) }

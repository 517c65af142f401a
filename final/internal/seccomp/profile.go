//go:build linux

package seccomp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// profile is a checked specs.LinuxSeccomp, in the kernel's terms.
type profile struct {
	otherwise uint32 // action
	archs     []specs.Arch
	rules     []rule
	flags     uint
	notify    bool
	unknown   []string
	newest    uint32 // the largest number that the profile knows
}

// lastOldNumber is the last that differs between architectures: calls since Linux 5.1
// have one number everywhere. No smaller one is new to any profile.
const lastOldNumber = 423

// rule is what happens at some calls if all conditions hold.
type rule struct {
	calls      []row
	conditions []condition
	action     uint32
}

// condition compares one argument of a call.
type condition struct {
	index       uint32
	op          specs.LinuxSeccompOperator
	value, mask uint64 // the mask only for OpMaskedEqual
}

// parse checks a profile.
func parse(given *specs.LinuxSeccomp) (*profile, error) {
	if given.DefaultAction == specs.ActNotify {
		return nil, errors.New("defaultAction SCMP_ACT_NOTIFY: nobody could load the filter")
	}
	otherwise, err := action(given.DefaultAction, given.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("defaultAction: %w", err)
	}
	p := &profile{otherwise: otherwise, archs: given.Architectures, newest: lastOldNumber}
	for _, arch := range given.Architectures {
		if !slices.Contains(architectures[:], arch) {
			return nil, fmt.Errorf("architecture %q is none", arch)
		}
	}
	for i, call := range given.Syscalls {
		if err := p.add(call); err != nil {
			return nil, fmt.Errorf("syscalls[%d]: %w", i, err)
		}
	}
	if p.notify && given.ListenerPath == "" {
		return nil, errors.New("SCMP_ACT_NOTIFY without a listenerPath")
	}
	if given.ListenerMetadata != "" && given.ListenerPath == "" {
		return nil, errors.New("listenerMetadata without a listenerPath")
	}
	return p, p.addFlags(given.Flags)
}

// architectures are all that the specification names. Those that no machine of ours
// has are accepted: engines write one profile for all.
var architectures = [...]specs.Arch{
	specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64,
	specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64,
	specs.ArchMIPSEL64N32, specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390,
	specs.ArchS390X, specs.ArchPARISC, specs.ArchPARISC64, specs.ArchRISCV64,
	specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
}

// add adds the rules of one entry of syscalls.
func (p *profile) add(call specs.LinuxSyscall) error {
	if len(call.Names) == 0 {
		return errors.New("no names")
	}
	act, err := action(call.Action, call.ErrnoRet)
	if err != nil {
		return err
	}
	r := rule{action: act}
	for _, name := range call.Names {
		if known, ok := find(name); ok {
			r.calls = append(r.calls, known)
			p.newest = max(p.newest, uint32(max(known.x86_64, known.arm64, 0)))
		} else {
			p.unknown = append(p.unknown, name)
		}
	}
	for _, arg := range call.Args {
		c, err := parseCondition(arg)
		if err != nil {
			return err
		}
		r.conditions = append(r.conditions, c)
	}
	p.notify = p.notify || call.Action == specs.ActNotify
	if act == p.otherwise {
		return nil // that happens anyway
	}
	p.rules = append(p.rules, r.split()...)
	return nil
}

// split makes a rule of each condition if two are about the same argument.
func (r rule) split() []rule {
	var seen [maxArgs]bool
	twice := false
	for _, c := range r.conditions {
		twice = twice || seen[c.index]
		seen[c.index] = true
	}
	if !twice {
		return []rule{r}
	}
	var list []rule
	for _, c := range r.conditions {
		list = append(list, rule{r.calls, []condition{c}, r.action})
	}
	return list
}

// maxArgs is how many arguments a system call has at most.
const maxArgs = 6

// parseCondition checks one entry of args.
func parseCondition(arg specs.LinuxSeccompArg) (condition, error) {
	if arg.Index >= maxArgs {
		return condition{}, fmt.Errorf("args: index %d, but a call has 6 arguments", arg.Index)
	}
	c := condition{index: uint32(arg.Index), op: arg.Op, value: arg.Value}
	if !slices.Contains(operators[:], arg.Op) {
		return condition{}, fmt.Errorf("args: op %q is none", arg.Op)
	}
	if arg.Op == specs.OpMaskedEqual {
		c.mask, c.value = arg.Value, arg.ValueTwo&arg.Value
	}
	return c, nil
}

// maxErrno is the largest errno that a system call can return: linux/err.h.
const maxErrno = 4095

// action is what a filter returns for an action: the kind above, and in the lower 16
// bits the errno, or for a tracer a number.
func action(name specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	data := uint32(unix.EPERM)
	if errno != nil {
		if *errno > maxErrno {
			return 0, fmt.Errorf("errnoRet %d is above %d", *errno, maxErrno)
		}
		data = uint32(*errno)
	}
	for _, a := range actions {
		switch {
		case a.name != name:
			continue
		case a.hasErrno:
			return a.value | data, nil
		case errno != nil:
			return 0, fmt.Errorf("%s returns no errno: errnoRet %d means nothing", name, *errno)
		}
		return a.value, nil
	}
	return 0, fmt.Errorf("action %q is none", name)
}

// actions are those of the specification and what the kernel calls them.
var actions = [...]struct {
	name     specs.LinuxSeccompAction
	value    uint32
	hasErrno bool
}{
	{specs.ActKill, unix.SECCOMP_RET_KILL_THREAD, false},
	{specs.ActKillThread, unix.SECCOMP_RET_KILL_THREAD, false},
	{specs.ActKillProcess, unix.SECCOMP_RET_KILL_PROCESS, false},
	{specs.ActTrap, unix.SECCOMP_RET_TRAP, false},
	{specs.ActErrno, unix.SECCOMP_RET_ERRNO, true},
	{specs.ActTrace, unix.SECCOMP_RET_TRACE, true},
	{specs.ActAllow, unix.SECCOMP_RET_ALLOW, false},
	{specs.ActLog, unix.SECCOMP_RET_LOG, false},
	{specs.ActNotify, unix.SECCOMP_RET_USER_NOTIF, false},
}

// addFlags checks the flags.
func (p *profile) addFlags(given []specs.LinuxSeccompFlag) error {
	for _, name := range given {
		i := slices.IndexFunc(flags[:], func(f flag) bool { return f.name == name })
		if i < 0 {
			return fmt.Errorf("flag %q is none", name)
		}
		if flags[i].pass {
			p.flags |= flags[i].value
		}
	}
	const only = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	if p.flags&only != 0 && !p.notify {
		return errors.New("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV without SCMP_ACT_NOTIFY")
	}
	return nil
}

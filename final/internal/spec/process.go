package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// rlimits are the resources of setrlimit(2) by the specification's names; their
// numbers are those of x86 and arm64.
func rlimits() []string {
	return []string{
		"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE",
		"RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS",
		"RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE",
		"RLIMIT_RTPRIO", "RLIMIT_RTTIME",
	}
}

// Rlimit returns the number of a resource of setrlimit(2), or -1.
func Rlimit(name string) int { return slices.Index(rlimits(), name) }

// checkProcess refuses a process that could not be executed.
func checkProcess(c *specs.Spec) error {
	if c.Process == nil {
		return wrong(".process", "it is missing, and so is what would run")
	}
	return CheckProcess(".process", c.Process)
}

// CheckProcess refuses a process that could not be executed; field is the path
// of it in the file that is complained about. `exec` has such a file of its own.
func CheckProcess(field string, p *specs.Process) error {
	var found []error
	if len(p.Args) == 0 {
		found = append(found, wrong(field+".args", "it is empty: there is nothing to execute"))
	} else if p.Args[0] == "" {
		found = append(found, wrong(field+".args[0]", "it is empty, and names no program"))
	}
	if !path.IsAbs(p.Cwd) {
		found = append(found, wrong(field+".cwd", "%q is not an absolute path", p.Cwd))
	}
	for i, word := range p.Args {
		found = append(found, text(fmt.Sprintf("%s.args[%d]", field, i), word))
	}
	for i, pair := range p.Env {
		found = append(found, text(fmt.Sprintf("%s.env[%d]", field, i), pair))
	}
	found = append(found, text(field+".cwd", p.Cwd), checkRlimits(field+".rlimits", p.Rlimits),
		checkOOM(field, p), checkPriorities(field, p), checkAffinity(field, p),
		text(field+".apparmorProfile", p.ApparmorProfile),
		text(field+".selinuxLabel", p.SelinuxLabel))
	return errors.Join(found...)
}

// checkRlimits refuses resources that do not exist, and those named twice.
func checkRlimits(field string, all []specs.POSIXRlimit) error {
	var found []error
	seen := map[string]bool{}
	for i, r := range all {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case Rlimit(r.Type) < 0:
			found = append(found, wrong(at+".type", "%q is no resource of setrlimit(2)", r.Type))
		case seen[r.Type]:
			found = append(found, wrong(at+".type", "%s is there twice", r.Type))
		case r.Soft > r.Hard:
			found = append(found, wrong(at+".soft", "%d is above the hard %d", r.Soft, r.Hard))
		}
		seen[r.Type] = true
	}
	return errors.Join(found...)
}

// checkOOM refuses a score that the kernel would not take.
func checkOOM(field string, p *specs.Process) error {
	if a := p.OOMScoreAdj; a != nil && (*a < -1000 || *a > 1000) {
		return wrong(field+".oomScoreAdj", "%d is not from -1000 to 1000", *a)
	}
	return nil
}

// checkPriorities refuses what is said about scheduling and cannot be done.
func checkPriorities(field string, p *specs.Process) error {
	var found []error
	if s := p.Scheduler; s != nil {
		if Policy(s.Policy) < 0 {
			found = append(found, wrong(field+".scheduler.policy", "%q is no policy", s.Policy))
		}
		for _, flag := range s.Flags {
			if SchedFlag(flag) == 0 {
				found = append(found, wrong(field+".scheduler.flags", "%q is no flag", flag))
			}
		}
	}
	if io := p.IOPriority; io != nil {
		if IOClass(io.Class) < 0 {
			found = append(found, wrong(field+".ioPriority.class", "%q is no class", io.Class))
		}
		if io.Priority < 0 || io.Priority > 7 {
			found = append(found, wrong(field+".ioPriority.priority", "%d is not from 0 to 7",
				io.Priority))
		}
	}
	return errors.Join(found...)
}

// Policy returns the number of a scheduling policy, or -1. See sched(7).
func Policy(p specs.LinuxSchedulerPolicy) int {
	return slices.Index([]string{
		"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO",
		"SCHED_IDLE", "SCHED_DEADLINE",
	}, string(p))
}

// SchedFlag returns the bit of a flag of sched_setattr(2), or 0.
func SchedFlag(f specs.LinuxSchedulerFlag) uint64 {
	bit := slices.Index([]string{
		"RESET_ON_FORK", "RECLAIM", "DL_OVERRUN", "KEEP_POLICY", "KEEP_PARAMS",
		"UTIL_CLAMP_MIN", "UTIL_CLAMP_MAX",
	}, strings.TrimPrefix(string(f), "SCHED_FLAG_"))
	if bit < 0 {
		return 0
	}
	return 1 << bit
}

// IOClass returns the number of a class of ioprio_set(2), or -1.
func IOClass(c specs.IOPriorityClass) int {
	return slices.Index([]string{
		"IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE",
	}, string(c))
}

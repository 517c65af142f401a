//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// allowed are the programs that a step may leave some of its work to.
var allowed = map[string][]string{
	"04-net":  {"ip", "nft", "iptables", "iptables-nft", "iptables-legacy", "sysctl"},
	"08-user": {"newuidmap", "newgidmap"},
}

// ByOwnHand is the check that a program makes the container itself. Everything
// else can be right and the program still only have called another one, which
// teaches nobody anything. What it executes is seen by the kernel's word.
//
// A program that nobody could watch has not passed, whatever the other checks say:
// that is an error for which Unjudged is true.
func ByOwnHand() Check {
	return Check{Name: "nothing but the program itself makes the container", Run: byOwnHand}
}

// byOwnHand traces a run and looks at every execve(2) in it.
func byOwnHand(ctx context.Context, s *Subject) error {
	dir, err := os.MkdirTemp("", "lab-hand-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // else it goes with the check's place
	flags, inside := s.newFlags(dir)
	command := []string{s.Probe(inside), "argv", s.Word("token")}
	line := slices.Concat([]string{s.Program, "run"}, s.Flags, flags, command)
	calls, err := s.Trace(ctx, flags, command...)
	ran := false
	for _, call := range calls {
		if call.Call != "execve" && call.Call != "execveat" || call.Errno != "" {
			continue
		}
		path := executed(call)
		ran = ran || path == command[0]
		if s.mayExecute(path, command[0]) {
			continue
		}
		return &Failure{
			Command:  shellLine(line),
			Expected: "the program executes itself, and the command",
			Kernel:   fmt.Sprintf("process %d: %s", call.PID, call.Text),
			Diagnosis: fmt.Sprintf("Isolated, but by %s, not by your program. ", path) +
				"The system calls are what there is to learn: make them yourself.",
			Look:    shellLine(append([]string{"lab", "trace"}, line...)),
			Mistake: "handed-over",
		}
	}
	if err == nil && !ran {
		err = fmt.Errorf("the trace has %d calls, and none executes %s", len(calls), command[0])
	}
	if err != nil {
		return s.unwatched(ctx, line, err)
	}
	return nil
}

// unjudged is the failure of a program that could not be watched.
type unjudged struct{ *Failure }

// Unwrap returns the failure.
func (u unjudged) Unwrap() error { return u.Failure }

// Unjudged reports whether an error says that a program could not be watched. It is
// a failure then, of which the other checks may know more: they are asked first.
func Unjudged(err error) bool {
	_, is := errors.AsType[unjudged](err)
	return is
}

// unwatched tells a machine where nothing can be traced from a program that behaves
// otherwise when it is: our own agent is traced for comparison.
func (s *Subject) unwatched(ctx context.Context, line []string, why error) error {
	agent := s.command(ctx, nil, nil)
	agent.Args = []string{s.Probe(false), "exit", "0"}
	if _, err := s.traceLine(ctx, agent); err != nil {
		return unjudged{&Failure{
			Command:  shellLine(line),
			Expected: "ptrace(2) shows what the program executes",
			Kernel:   "of our own agent it shows nothing either: " + err.Error(),
			Diagnosis: "Not judged: nothing can be traced here, so nobody sees who makes the " +
				"container. It takes kernel.yama.ptrace_scope below 2, --cap-add SYS_PTRACE in " +
				"an engine's container, and no strace or debugger around lab.",
			Look: "cat /proc/sys/kernel/yama/ptrace_scope; " +
				"grep -E 'Seccomp:|TracerPid' /proc/self/status",
			Mistake: "tracing-forbidden",
		}}
	}
	return unjudged{&Failure{
		Command:  shellLine(line),
		Expected: "the program runs its command, traced or not",
		Kernel:   "under ptrace(2): " + why.Error(),
		Diagnosis: "Not judged: others can be traced here, and your program, traced, does not " +
			"run its command, so nobody sees who makes the container. A program must not " +
			"look for its tracer, trace itself, or depend on its pace.",
		Look:    shellLine(append([]string{"lab", "trace", "--"}, line...)),
		Mistake: "defeats-the-tracer",
	}}
}

// newFlags returns the flags that a step brings, as far as they make something,
// and whether the command is looked up in the root.
func (s *Subject) newFlags(dir string) (flags []string, inside bool) {
	switch s.Step {
	case "00-exec":
		return nil, false
	case "01-uts", "02-pid":
		return []string{"-hostname", s.Word("host")}, false
	case "05-cgroups":
		return []string{"-rootfs", s.Root, "-memory", "64M", "-pids", "64"}, true
	case "06-unionfs":
		return []string{"-lower", s.Root, "-upper", dir}, true
	case "07-volumes":
		return []string{"-rootfs", s.Root, "-v", dir + ":/mnt"}, true
	case "08-user":
		return []string{"-rootfs", s.Root, "-user"}, true
	}
	return []string{"-rootfs", s.Root}, true
}

// quoted is the name that a call begins with, behind a file descriptor for
// execveat(2).
//
//	"/usr/bin/unshare"
var quoted = regexp.MustCompile(`^"(.*)"`)

// executed returns the file that a call of the execve family executes.
func executed(call Traced) string {
	for _, arg := range call.Args {
		if quoted.MatchString(arg) {
			if path, err := strconv.Unquote(quoted.FindString(arg)); err == nil {
				return path
			}
		}
	}
	return call.Text
}

// mayExecute reports whether a path is the program, its command, or one of the
// few others that a step may leave work to.
func (s *Subject) mayExecute(path, command string) bool {
	own, err := filepath.EvalSymlinks(path)
	if path == s.Program || own == s.Program || path == command || path == "/proc/self/exe" {
		return true
	}
	for step, names := range allowed {
		known := err == nil && (strings.HasPrefix(own, "/usr/") || strings.HasPrefix(own, "/sbin/"))
		if s.Step >= step && known && slices.Contains(names, filepath.Base(path)) {
			return true
		}
	}
	return false
}

//go:build linux

package check

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Traced is a system call that `lab trace` saw: one of those that make a
// container, of the program or of anything that it started.
type Traced struct {
	Type  string   `json:"type"`
	PID   int      `json:"pid"`
	Call  string   `json:"call"`
	Args  []string `json:"args"`
	Errno string   `json:"errno"`
	Text  string   `json:"text"` // as strace(1) prints it
}

// Trace runs the program once under ptrace(2) and returns its calls in order.
func (s *Subject) Trace(ctx context.Context, flags []string, command ...string) ([]Traced, error) {
	if s.Lab == "" {
		return nil, errors.New("trace the program: no lab is given to trace with")
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit())
	defer cancel()
	file, err := os.CreateTemp("", "lab-trace-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }() // it was read
	cmd := s.command(ctx, flags, command)
	cmd.Args = append([]string{"lab", "trace", "--json", "-o", file.Name(), "--"}, cmd.Args...)
	cmd.Path = s.Lab
	runtime.LockOSThread() // for the Pdeathsig, see Start
	out, err := cmd.CombinedOutput()
	runtime.UnlockOSThread()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return nil, fmt.Errorf("trace the program: %w", err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return nil, err
	}
	var calls []Traced
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var call Traced
		if err := json.Unmarshal(lines.Bytes(), &call); err != nil {
			return nil, fmt.Errorf("read the trace %q: %w", lines.Text(), err)
		}
		if call.Type == "call" {
			calls = append(calls, call)
		}
	}
	if strings.Contains(string(out), "may not be traced") {
		return nil, Skip("ptrace(2) is forbidden here")
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("trace the program: nothing was seen: %s", bytes.TrimSpace(out))
	}
	return calls, nil
}

// allowed are the programs that a step may leave some of its work to.
var allowed = map[string][]string{
	"04-net":  {"ip", "nft", "iptables", "iptables-nft", "iptables-legacy", "sysctl"},
	"08-user": {"newuidmap", "newgidmap"},
}

// ByOwnHand is the check that a program makes the container itself. Everything
// else can be right and the program still only have called another one, which
// teaches nobody anything. What it executes is seen by the kernel's word.
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
	calls, err := s.Trace(ctx, flags, command...)
	if err != nil {
		return Skip(err.Error()) // the other checks see what else is wrong with it
	}
	for _, call := range calls {
		if call.Call != "execve" && call.Call != "execveat" || call.Errno != "" {
			continue
		}
		path := executed(call)
		if s.mayExecute(path, command[0]) {
			continue
		}
		line := slices.Concat([]string{s.Program, "run"}, s.Flags, flags, command)
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
	return nil
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

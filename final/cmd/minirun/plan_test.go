package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// making are the calls that make a container; what Go does for itself is not among them.
func making() []string {
	return []string{
		"setsid", "sethostname", "mount", "umount2", "pivot_root", "open_tree", "move_mount",
		"mount_setattr", "mknodat", "symlinkat", "umask", "setgroups", "setresgid", "setresuid",
		"capset", "execve",
	}
}

// callName finds the calls in a text of a plan, and in a line of strace.
var callName = regexp.MustCompile(`\b([a-z]+[a-z0-9_]*)\(`)

// What strace sees of init is what the plan says, call by call and in that order.
func TestPlanIsWhatHappens(t *testing.T) {
	strace := need.Tool(t, "strace", "strace")
	e := newEngine(t, "true")
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/data", Type: "bind", Source: t.TempDir(),
		Options: []string{"rbind", "ro", "rnosuid"},
	})
	e.config.Linux.MaskedPaths = []string{"/proc/keys"}
	e.config.Linux.ReadonlyPaths = []string{"/proc/sys"}
	e.write()
	planned := fromPlan(t, e.ok("plan", "--json", "web"))
	require.Greater(t, len(planned), 30)

	trace := filepath.Join(t.TempDir(), "trace")
	args := []string{
		"-f", "-qq", "-s", "200", "-e", "trace=" + strings.Join(making(), ","), "-o", trace,
	}
	cmd := e.command("run", "web")
	cmd.Path, cmd.Args = strace, append(append([]string{"strace"}, args...), cmd.Args...)
	r := e.finish(cmd)
	require.Zero(t, r.status, r.err)
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	assert.Equal(t, planned, fromStrace(string(text)))
}

// fromPlan lists the calls of init that are planned.
func fromPlan(t *testing.T, text string) []string {
	t.Helper()
	var entries []struct{ Side, Kind, Call string }
	require.NoError(t, json.Unmarshal([]byte(text), &entries))
	// In the user namespace of an ordinary user no group can be given up. The plan
	// knows: it goes on without.
	denied := strings.TrimSpace(proc(t, os.Getpid(), "setgroups")) == "deny"
	var calls []string
	for _, e := range entries {
		if e.Side != "init" || e.Kind == "SetGroups" && denied {
			continue
		}
		// A file is masked by the first of two ways.
		text, _, _ := strings.Cut(e.Call, "  or  ")
		for call := range strings.SplitSeq(text, "; ") {
			calls = appendCall(calls, call)
		}
	}
	return calls
}

// fromStrace lists the calls of init that were seen and have succeeded. It is the
// process that makes a session; the last thing that it does as init is execve(2).
//
//	4422  mount("proc", ".", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL) = 0
func fromStrace(text string) []string {
	init := ""
	var calls []string
	for line := range strings.Lines(text) {
		pid, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		if init == "" && strings.HasPrefix(call, "setsid(") {
			init = pid
		}
		if pid != init || strings.Contains(call, " = -1 ") {
			continue
		}
		calls = appendCall(calls, call)
		if strings.HasPrefix(call, "execve(") {
			break // from here on it is the command
		}
	}
	return calls
}

// appendCall appends a call if it is one of those that make a container, in a form in
// which plan and trace can be compared: its name, and what is mounted how.
func appendCall(calls []string, text string) []string {
	found := callName.FindStringSubmatch(text)
	if found == nil || !slices.Contains(making(), found[1]) {
		return calls
	}
	name := found[1]
	if name != "mount" {
		return append(calls, name)
	}
	_, arguments, _ := strings.Cut(text, "(")
	words := strings.Split(arguments, ", ")
	if len(words) < 4 || words[2] == "NULL" || strings.HasPrefix(words[2], "0x") {
		return append(calls, name)
	}
	return append(calls, strings.Join([]string{name, words[2], words[3]}, " "))
}

package main_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/check/checktest"
	"lab/internal/course"
	"lab/internal/journal"
	"lab/internal/need"
)

// stepName is what the program is called that has the command line of a step and is mini:
// the tests' own executable.
const stepName = "mini-as-a-step"

// words are mini's for the flags of a step. A step's limit of memory leaves no swap.
var words = map[string][]string{
	"-hostname": {"--hostname"},
	"-rootfs":   {"--rootfs"},
	"-ip":       {"--ip"},
	"-memory":   {"--memory", "--memory-swap"},
	"-cpus":     {"--cpus"},
	"-pids":     {"--pids-limit"},
	"-lower":    {"--rootfs"},
	"-upper":    {"--upper"},
	"-v":        {"--volume"},
}

// asStep becomes mini, with a step's flags in mini's words. What a step does unasked mini
// is asked for: to remove the container, to pass on what is typed, to have a PID 1 that
// reaps and passes signals on, to have the host's root where no other is named, and all
// capabilities in a user namespace of its own.
func asStep(args []string) error {
	line := []string{
		"mini", "--root", os.Getenv("MINI_ROOT"), "--state", os.Getenv("MINI_STATE"),
		"run", "--rm", "--interactive", "--init",
	}
	args, hasRoot := args[2:], false
	for len(args) > 1 && (words[args[0]] != nil || args[0] == "-user") {
		if args[0] == "-user" {
			line, args = append(line, "--userns", "auto", "--cap-add", "ALL"), args[1:]
			continue
		}
		value := args[1]
		if args[0] == "-ip" {
			value, _, _ = strings.Cut(value, "/") // how long its network is the network knows
		}
		for _, word := range words[args[0]] {
			line = append(line, word, value)
			hasRoot = hasRoot || word == "--rootfs"
		}
		args = args[2:]
	}
	if !hasRoot {
		line = append(line, "--rootfs", "/")
	}
	return unix.Exec(os.Getenv("MINI"), append(line, args...), os.Environ())
}

// What an engine answers in another way by nature.
const (
	outlives = "a container belongs to its monitor, and goes on when who called mini is killed"
	network  = "which addresses a network has is said when it is made: network create --subnet"
	groups   = "there are groups of its own to change to, and none of the caller's to leave"
	makes    = "-v makes a directory that is missing, as docker's does; --mount refuses"
)

// others are the checks to which that applies. TestOtherAnswers holds what is true of an
// engine in their place, and TestUsersOfItsOwn of groups.
var others = map[string]string{
	"the command ends when the program is killed":               outlives,
	"no process is left when the program is killed":             outlives,
	"the next container takes over what a killed one left":      outlives,
	"what a killed run leaves is removed by the next":           outlives,
	"it has the address that was asked for and a default route": network,
	"the last container leaves no link, rule or setting behind": network,
	"a source that does not exist is refused":                   makes,
	"when the program is killed, the container ends":            outlives,
	"setgroups is denied in it":                                 groups,
}

// What judges the programs of the path judges mini, which only has other names for flags.
func TestCorpus(t *testing.T) {
	need.RealRoot(t)
	subject := newMini(t).asSubject()
	left := maps.Clone(others)
	for _, step := range course.UpTo(subject.Step) {
		if os.Getenv("LAB_CHECKS") == "own" && step.ID != "05-cgroups" && step.ID != subject.Step {
			continue // as checktest does
		}
		t.Run(step.ID, func(t *testing.T) {
			subject := subject
			if step.ID == subject.Step {
				subject = lendingMini(t).asSubject()
			}
			if step.ID == "05-cgroups" {
				need.Cgroup(t, "memory", "cpu", "pids")
			}
			for _, c := range check.Of(step.ID) {
				if why, other := others[c.Name]; other {
					t.Logf("not asked: %s: %s", c.Name, why)
					delete(left, c.Name)
					continue
				}
				t.Run(c.Name, func(t *testing.T) { checktest.One(t, c, subject) })
			}
		})
	}
	if os.Getenv("LAB_CHECKS") == "" {
		assert.Empty(t, slices.Sorted(maps.Keys(left)), "there are no such checks")
	}
}

// asSubject is mini as the checks know a program.
func (m *mini) asSubject() *check.Subject {
	m.t.Helper()
	m.t.Setenv("MINI", m.path)
	m.t.Setenv("MINI_ROOT", m.root)
	m.t.Setenv("MINI_STATE", m.state)
	self, err := os.Executable()
	require.NoError(m.t, err)
	program := filepath.Join(m.t.TempDir(), stepName)
	require.NoError(m.t, os.Symlink(self, program))
	seed := rand.Uint64()
	m.t.Logf("seed %d", seed)
	return &check.Subject{
		Step: "08-user", Program: program, Root: checktest.Root(m.t),
		Rand: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // it is for names
	}
}

// What the checks in others do not ask is this in an engine.
func TestOtherAnswers(t *testing.T) {
	need.RealRoot(t)
	m := newMini(t)
	t.Run("a container outlives who called for it, and is removed by name", func(t *testing.T) {
		cmd := m.command("run", "--rm", "--name", "web", "base", "sleep", "1000")
		require.NoError(t, cmd.Start())
		eventually(t, "it runs", func() bool {
			return m.do("exec", "web", "true").status == 0
		})
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		assert.Equal(t, "running", m.status("web"))
		m.ok("rm", "--force", "web")
		m.empty()
	})
	t.Run("an address is one of a network that was made, of which nothing stays",
		func(t *testing.T) {
			before, err := journal.Take()
			require.NoError(t, err)
			m.ok("network", "create", "--subnet", "10.201.7.0/24", "front")
			assert.Contains(t, m.ok("run", "--rm", "--network", "front", "--ip", "10.201.7.77",
				"base", "ip", "addr"), "10.201.7.77/24")
			m.ok("network", "rm", "front")
			ctx, cancel := context.WithTimeout(t.Context(), long)
			defer cancel()
			assert.Empty(t, journal.Settle(ctx, before))
		})
	t.Run("--mount makes no directory that is missing", func(t *testing.T) {
		source := filepath.Join(t.TempDir(), "nowhere")
		r := m.do("run", "--rm", "--mount", "type=bind,src="+source+",dst=/mnt", "base", "true")
		assert.Equal(t, 125, r.status)
		assert.Contains(t, r.err, source)
		assert.NoFileExists(t, source)
	})
}

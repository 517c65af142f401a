package need_test

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// judge stands in for a *testing.T and notes what a helper does to it.
type judge struct{ skipped, failed string }

func (*judge) Helper() {}

func (j *judge) Skip(args ...any) {
	j.skipped = args[0].(string)
	runtime.Goexit()
}

func (j *judge) Fatal(args ...any) {
	j.failed = args[0].(string)
	runtime.Goexit()
}

// ask runs a helper as a test would.
func ask(helper func(need.T)) *judge {
	j := &judge{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		helper(j)
	}()
	<-done
	return j
}

// A missing thing skips with its name and where to get it, and fails where
// the lane promises it.
func TestSkipsSayWhy(t *testing.T) {
	missing := func(t need.T) { need.Tool(t, "no-such-tool", "no-such-package") }
	t.Setenv("LAB_LANE", "")
	const reason = "need tool: no no-such-tool on PATH: `apt-get install no-such-package`"
	assert.Equal(t, reason, ask(missing).skipped)
	t.Setenv("LAB_LANE", "host-root")
	j := ask(missing)
	assert.Empty(t, j.skipped)
	assert.Contains(t, j.failed, "but the lane host-root promises it")
	t.Setenv("LAB_LANE", "vm-fast")
	assert.NotEmpty(t, ask(missing).skipped, "no tools are promised in the fast VM")

	// The compiler is not in the VM, and nothing promises it there.
	t.Setenv("LAB_VM", "1")
	assert.Contains(t, ask(func(t need.T) { need.Go(t) }).skipped, "need go: ")
}

// What the machine has, as far as the facts tell, no helper skips.
func TestWhatIsThereIsNotSkipped(t *testing.T) {
	t.Setenv("LAB_LANE", "")
	facts := need.Look()
	for name, c := range map[string]struct {
		there  bool
		helper func(need.T)
	}{
		"root":      {facts.Root, need.Root},
		"real root": {facts.RealRoot, need.RealRoot},
		"sandbox":   {facts.Sandbox, need.Sandbox},
		"userns":    {facts.UserNS.OK, need.UserNS},
		"overlay":   {facts.Sandbox && facts.Overlay.OK, need.Overlay},
		"net":       {facts.Sandbox, need.Net},
		"v2":        {facts.Cgroups.Mode == "v2", need.CgroupV2},
		"memory":    {need.TryCgroup("memory") == nil, func(t need.T) { need.Cgroup(t, "memory") }},
		"no such":   {false, func(t need.T) { need.Cgroup(t, "memory", "no-such-controller") }},
	} {
		t.Run(name, func(t *testing.T) {
			j := ask(c.helper)
			assert.Empty(t, j.failed)
			assert.Equal(t, c.there, j.skipped == "", j.skipped)
		})
	}
}

// The sandbox gives its tests what the steps need.
func TestSandboxHasIt(t *testing.T) {
	need.Sandbox(t)
	facts := need.Look()
	assert.True(t, facts.Root)
	need.Net(t)
	need.UserNS(t)
	need.Overlay(t)
}

// Its cgroups are the top of what it sees, and trying them leaves nothing.
func TestSandboxHasCgroups(t *testing.T) {
	need.Sandbox(t)
	need.Cgroup(t, "cpu", "memory", "pids")
	facts := need.Look()
	for _, h := range facts.Cgroups.Hierarchies {
		assert.Equal(t, "/", h.Root, h.Mount)
	}
	for _, h := range facts.Cgroups.Hierarchies {
		entries, err := os.ReadDir(h.Mount)
		require.NoError(t, err)
		for _, entry := range entries {
			assert.False(t, strings.HasPrefix(entry.Name(), "lab-need-"), entry.Name())
		}
	}
}

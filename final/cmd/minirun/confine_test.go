package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// add has exec add a process of the specification, and returns its number.
func (e *engine) add(p specs.Process) (pid int, r result) {
	e.t.Helper()
	text, err := json.Marshal(p)
	require.NoError(e.t, err)
	file := filepath.Join(e.t.TempDir(), "process.json")
	require.NoError(e.t, os.WriteFile(file, text, 0o644))
	r = e.do("exec", "--detach", "--process", file, "--pid-file", file+".pid", "web")
	if r.status == 0 {
		pid, err = strconv.Atoi(pidIn(e.t, file+".pid"))
		require.NoError(e.t, err)
	}
	return pid, r
}

// config.md, "Process", execCPUAffinity: where a process that is added computes, before
// and after it has come to the container. Init is not meant.
func TestAffinity(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	own := field(t, os.Getpid(), "Cpus_allowed_list")
	first, last := own[:1], own[len(own)-1:] // 0-1, or 0 alone
	e.config.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: first, Final: first}
	pid := e.begin()
	assert.Equal(t, own, field(t, pid, "Cpus_allowed_list"))

	p := *e.config.Process
	for _, test := range []struct{ initial, final, want string }{
		{first, "", first},
		{"", last, last},
		{first, last, last},
	} {
		p.ExecCPUAffinity = &specs.CPUAffinity{Initial: test.initial, Final: test.final}
		pid, r := e.add(p)
		require.Zero(t, r.status, r.err)
		assert.Equal(t, test.want, field(t, pid, "Cpus_allowed_list"), test)
	}
	p.ExecCPUAffinity = &specs.CPUAffinity{Final: "1023"}
	_, r := e.add(p)
	assert.Contains(t, r.err, "compute on the processors 1023: invalid argument")
	p.ExecCPUAffinity = &specs.CPUAffinity{Final: "all"}
	_, r = e.add(p)
	assert.Contains(t, r.err, `.execCPUAffinity.final: "all" is no list of processors`)
}

// A score that is refused is no command that is: clients would take it for one by the
// words "permission denied".
func TestOOMScore(t *testing.T) {
	e := newEngine(t, "cat", "/proc/self/oom_score_adj")
	score := 321
	e.config.Process.OOMScoreAdj = &score
	assert.Equal(t, "321", strings.TrimSpace(e.run().out))
	score = -500
	may := exec.CommandContext(t.Context(), "sh", "-c", "echo -500 > /proc/self/oom_score_adj")
	r := e.run()
	if may.Run() == nil {
		assert.Equal(t, "-500", strings.TrimSpace(r.out))
		return
	}
	assert.Equal(t, 125, r.status)
	assert.Regexp(t, `: set oom_score_adj of init to -500: it is -?[0-9]+, and to lower it takes `+
		`CAP_SYS_RESOURCE\n$`, r.err)
	assert.NotContains(t, strings.ToLower(r.err), "permission denied")
	e.empty()
}

// A command that is to be confined by a security module is, or there is none: where the
// machine has no such module, and where the module has no such profile.
func TestLabels(t *testing.T) {
	enabled, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	hasAppArmor := strings.HasPrefix(string(enabled), "Y")
	_, err := os.Stat("/sys/fs/selinux/enforce")
	if err != nil {
		for _, change := range []func(*specs.Spec){
			func(c *specs.Spec) { c.Process.SelinuxLabel = "system_u:system_r:lab_t:s0" },
			func(c *specs.Spec) { c.Linux.MountLabel = "system_u:object_r:lab_t:s0" },
		} {
			e := newEngine(t, "true")
			change(e.config)
			r := e.run()
			assert.Equal(t, 125, r.status)
			assert.Contains(t, r.err, "look for SELinux: there is no SELinux on this machine")
			e.empty()
		}
	}
	e := newEngine(t, "sleep", "1000")
	pid := e.begin()
	p := *e.config.Process
	p.ApparmorProfile = "lab-has-no-such-profile"
	_, r := e.add(p)
	assert.Equal(t, 125, r.status)
	if !hasAppArmor {
		assert.Contains(t, r.err, "look for AppArmor: there is no AppArmor on this machine")
		return
	}
	assert.Contains(t, r.err, "have AppArmor confine the command by lab-has-no-such-profile")
	p.ApparmorProfile = strings.Fields(proc(t, pid, "attr/apparmor/current"))[0]
	_, r = e.add(p)
	assert.Zero(t, r.status, r.err)
}

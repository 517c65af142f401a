//go:build linux

package main

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// An ordinary user is told what stays hidden, and why.
func TestNSOfOrdinaryUser(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	const uid = 54321
	home := account(t)
	bin := lend(t, programs(t))
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), bin+"/lab", args...)
		cmd.Dir = home
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("ns")
	require.NoError(t, err, out)
	assert.Regexp(t, `1 process was read\. Permission denied for \d+ processes of\s+uid 0`, out)
	out, err = run("ns", "1")
	require.Error(t, err)
	assert.Regexp(t, `^lab: ns of 1: stat /proc/1/ns/cgroup: permission denied\nhint: sudo `, out)
}

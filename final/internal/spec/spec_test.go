package spec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What `spec` writes can be run.
func TestExamples(t *testing.T) {
	require.NoError(t, spec.Check(spec.Example()))
	require.NoError(t, spec.Check(spec.ExampleRootless(1000, 1000)))
}

// A wrong field is named by its path, with what is wrong.
func TestWrong(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(*specs.Spec)
	}{
		{"version", `.ociVersion: "2.0.0"`, func(c *specs.Spec) { c.Version = "2.0.0" }},
		{"root", ".root.path: it is missing", func(c *specs.Spec) { c.Root = nil }},
		{"process", ".process: it is missing", func(c *specs.Spec) { c.Process = nil }},
		{"cwd", `.process.cwd: "srv" is not`, func(c *specs.Spec) { c.Process.Cwd = "srv" }},
		{"no command", ".process.args: it is empty", func(c *specs.Spec) { c.Process.Args = nil }},
		{"zero byte", ".process.env[0]", func(c *specs.Spec) { c.Process.Env[0] = "A=\x00" }},
		{"rlimit twice", ".process.rlimits[1].type", func(c *specs.Spec) {
			c.Process.Rlimits = append(c.Process.Rlimits, c.Process.Rlimits[0])
		}},
		{"mount on /", ".mounts[0].destination", func(c *specs.Spec) {
			c.Mounts[0].Destination = "/.."
		}},
		{"namespace twice", ".linux.namespaces[6].type: pid is there twice", func(c *specs.Spec) {
			c.Linux.Namespaces = append(c.Linux.Namespaces, c.Linux.Namespaces[0])
		}},
		{"maps alone", ".linux.uidMappings: there is no user namespace", func(c *specs.Spec) {
			c.Linux.UIDMappings = []specs.LinuxIDMapping{{Size: 1}}
		}},
		{"host's sysctl", `.linux.sysctl["vm.swappiness"]`, func(c *specs.Spec) {
			c.Linux.Sysctl = map[string]string{"vm.swappiness": "1"}
		}},
		{"sysctl that climbs", `.linux.sysctl["net/../vm/swappiness"]`, func(c *specs.Spec) {
			c.Linux.Sysctl = map[string]string{"net/../vm/swappiness": "1"}
		}},
		{"hook", `.hooks.poststop[0].path: "h" is not`, func(c *specs.Spec) {
			c.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "h"}}}
		}},
		{"intelRdt", ".linux.intelRdt: not supported by minirun", func(c *specs.Spec) {
			c.Linux.IntelRdt = &specs.LinuxIntelRdt{}
		}},
		{"affinity", `.process.execCPUAffinity.final: "3-1" is no list`, func(c *specs.Spec) {
			c.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-3,7", Final: "3-1"}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := spec.Example()
			test.change(config)
			assert.ErrorContains(t, spec.Check(config), test.want)
		})
	}
}

// A bundle is read as a whole: where it is, and what its file says.
func TestLoad(t *testing.T) {
	bundle := t.TempDir()
	_, err := spec.Load("web", bundle)
	require.ErrorIs(t, err, os.ErrNotExist)

	file := filepath.Join(bundle, spec.File)
	require.NoError(t, os.WriteFile(file, []byte("{\n\"a\": 1,\n}"), 0o644))
	_, err = spec.Load("web", bundle)
	require.ErrorContains(t, err, "line 3: not JSON")

	text, err := json.Marshal(spec.Example())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
	c, err := spec.Load("web", bundle)
	require.NoError(t, err)
	assert.Equal(t, bundle, c.Bundle)
}

// A name that leads out of the directory of states is none.
func TestID(t *testing.T) {
	for _, id := range []string{"", ".", "..", "a/b", "a\x00", "ä"} {
		require.Error(t, spec.CheckID(id), "%q", id)
	}
	for _, id := range []string{"web", "a.b-c_d+1"} {
		require.NoError(t, spec.CheckID(id), id)
	}
}

package main_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lab/internal/program"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// attacker builds final/test/attack once: it knows the ways out that are tried here.
var attacker = sync.OnceValues(func() (string, error) {
	return program.Path(context.Background(), "attack")
})

// attacks is an engine with a container that tries a way out. Its minirun is a copy: an
// attack may succeed.
func attacks(t *testing.T, words ...string) *engine {
	t.Helper()
	e := newEngine(t, append([]string{"/attack"}, words...)...)
	path, err := attacker()
	require.NoError(t, err)
	text, err := os.ReadFile(e.minirun)
	require.NoError(t, err)
	e.minirun = filepath.Join(t.TempDir(), "minirun")
	require.NoError(t, os.WriteFile(e.minirun, text, 0o755))
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/attack", Type: "bind", Source: path, Options: []string{"bind", "ro"},
	})
	return e
}

// grant gives the command capabilities.
func (e *engine) grant(names ...string) {
	c := e.config.Process.Capabilities
	for _, set := range []*[]string{&c.Bounding, &c.Effective, &c.Permitted} {
		*set = append(*set, names...)
	}
}

// output is what a container writes while others are at work.
type output struct {
	t    *testing.T
	path string
}

// detach runs the bundle in the background, and returns what it writes.
func (e *engine) detach() output {
	e.t.Helper()
	e.write()
	out := output{e.t, filepath.Join(e.t.TempDir(), "output")}
	file, err := os.Create(out.path)
	require.NoError(e.t, err)
	defer file.Close()
	cmd := e.command("run", "--detach", "--pid-file", filepath.Join(e.bundle, "pid"), "web")
	cmd.Stdout, cmd.Stderr = file, file
	require.NoError(e.t, cmd.Run(), out.text())
	return out
}

// text is what was written until now.
func (o output) text() string {
	o.t.Helper()
	text, err := os.ReadFile(o.path)
	require.NoError(o.t, err)
	return string(text)
}

// line waits for a line that begins so, and returns the rest of it. Meanwhile it does
// again and again what is to be attacked.
func (o output) line(beginning string, meanwhile func()) string {
	o.t.Helper()
	for deadline := time.Now().Add(long); time.Now().Before(deadline); {
		for line := range strings.Lines(o.text()) {
			rest, found := strings.CutPrefix(line, beginning+": ")
			if found && strings.HasSuffix(rest, "\n") {
				return strings.TrimSpace(rest)
			}
		}
		meanwhile()
	}
	o.t.Fatalf("it never said %q:\n%s", beginning, o.text())
	return ""
}

// pause is what to do while there is nothing to do.
func pause() { time.Sleep(time.Millisecond) }

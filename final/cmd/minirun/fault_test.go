package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fragile is an engine whose container leaves a mark when its command runs, and has
// limits where there can be any.
func fragile(t *testing.T) (e *engine, mark string) {
	t.Helper()
	e = newEngine(t, "sh", "-c", "echo ran > /data/mark; exec sleep 1000")
	data := t.TempDir()
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/data", Type: "bind", Source: data, Options: []string{"bind"},
	})
	if need.TryCgroup("pids") == nil {
		limit := int64(100)
		e.config.Linux.CgroupsPath = "/lab-fault"
		e.config.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}
	}
	e.write()
	return e, filepath.Join(data, "mark")
}

// kills runs minirun once for each of a process's calls, or each second one and so on,
// and kills it there. After each run it does what has to hold then.
func (e *engine) kills(victim string, args []string, every int, after func(at int)) {
	e.t.Helper()
	for at := 0; ; at += every {
		p := &puppet{victim: victim, at: at}
		cmd := e.command(args...)
		p.start(e.t, cmd)
		select {
		case <-p.status:
		case <-time.After(long):
			e.t.Fatalf("minirun %v hangs when %q is killed at its call %d", args, victim, at)
		}
		reached := p.reached
		after(at)
		require.NoError(e.t, <-p.ended)
		_ = cmd.Process.Release() // it was waited for
		if !reached {
			e.t.Logf("%s: killed at %d calls", victim, at/every)
			assert.Greater(e.t, at, 5)
			return
		}
	}
}

// gone makes sure that a container can be asked for, that it can be removed whatever it
// was, and that nothing of it is left.
func (e *engine) gone(at int) {
	e.t.Helper()
	if r := e.do("state", "web"); r.status != 0 {
		assert.Contains(e.t, r.err, "does not exist", at)
	}
	e.ok("delete", "--force", "web")
	if _, err := os.Stat(e.state); !errors.Is(err, os.ErrNotExist) {
		e.empty()
	}
	require.Eventually(e.t, func() bool { return len(inits(e.t)) == 0 }, long, time.Millisecond,
		"no init is left (%d)", at)
	found, err := filepath.Glob("/sys/fs/cgroup/*/lab-fault")
	require.NoError(e.t, err)
	more, err := filepath.Glob("/sys/fs/cgroup/lab-fault")
	require.NoError(e.t, err)
	assert.Empty(e.t, append(found, more...), at)
}

// Whichever of its calls `create` is killed at, the command never runs, and delete
// --force leaves nothing.
func TestFaultCreate(t *testing.T) {
	e, mark := fragile(t)
	e.kills(e.minirun, []string{"create", "--pid-file", filepath.Join(e.bundle, "pid"), "web"}, 1,
		func(at int) {
			e.gone(at)
			assert.NoFileExists(t, mark, at)
		})
}

// Whichever of its calls init is killed at, run tells it and has undone everything by
// itself; after the execve(2) it is the command that was killed.
func TestFaultInit(t *testing.T) {
	e, mark := fragile(t)
	e.config.Linux.Resources, e.config.Linux.CgroupsPath = nil, "" // init knows nothing of them
	e.write()
	// An operation of init's is two calls at least, with those that find its place.
	e.kills("minirun init ", []string{"run", "--detach", "web"}, 2, func(at int) {
		if entries, err := os.ReadDir(e.state); err == nil && len(entries) == 0 {
			assert.NoFileExists(t, mark, at)
		}
		e.gone(at)
		require.NoError(t, os.RemoveAll(mark))
	})
}

// Whichever of its calls `start` is killed at, the container is one that can be
// removed.
func TestFaultStart(t *testing.T) {
	e, mark := fragile(t)
	e.ok("create", "web")
	e.kills(e.minirun, []string{"start", "web"}, 1, func(at int) {
		status := e.status()
		assert.Contains(t, []string{"created", "running", "stopped"}, status, at)
		if status == "created" {
			assert.NoFileExists(t, mark, at)
		}
		e.gone(at)
		require.NoError(t, os.RemoveAll(mark))
		e.ok("create", "web")
	})
}

// Whichever of its calls `delete` is killed at, another one removes the rest.
func TestFaultDelete(t *testing.T) {
	e, _ := fragile(t)
	e.ok("create", "web")
	e.kills(e.minirun, []string{"delete", "--force", "web"}, 1, func(at int) {
		e.gone(at)
		e.ok("create", "web")
	})
}

// 200 containers at once are made, started and removed; none gets into another's way.
func TestFaultMany(t *testing.T) {
	const many, abreast = 200, 20
	e := newEngine(t, "true")
	e.write()
	ids, failed := make(chan string), make(chan string, many)
	done := make(chan struct{}, abreast)
	for range abreast {
		go func() {
			defer func() { done <- struct{}{} }()
			for id := range ids {
				for _, args := range [][]string{
					{"create", id}, {"start", id}, {"delete", "--force", id},
				} {
					if out, err := e.quiet(args...); err != nil {
						failed <- fmt.Sprint(args, err, out)
					}
				}
			}
		}()
	}
	for i := range many {
		ids <- fmt.Sprint("c", i)
	}
	close(ids)
	for range abreast {
		<-done
	}
	close(failed)
	for what := range failed {
		assert.Fail(t, what)
	}
	e.empty()
	assert.Empty(t, inits(t))
}

// quiet runs minirun from a goroutine: it does not end the test.
func (e *engine) quiet(args ...string) (string, error) {
	cmd := e.command(args...)
	file, err := os.CreateTemp(e.bundle, "output")
	if err != nil {
		return "", err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	text, _ := os.ReadFile(file.Name()) // it is for the message alone
	return strings.TrimSpace(string(text)), err
}

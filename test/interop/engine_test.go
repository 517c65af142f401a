package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/internal/need"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// image is the built-in root as an engine knows it.
const image = "localhost/box"

// engine is podman or docker: their command lines are the same in what is tried here.
type engine struct {
	name    string
	program string
	daemon  bool     // a runtime is asked for container by container
	global  []string // before the verb
	runtime string   // as the engine knows it
	dir     string   // where the engine's commands run

	// What differs in words.
	perBuild, perRemove, perTop, perEvents []string

	eventFormat    string
	story          []string // of a container that is run and removed
	execMissing    int      // status of exec where there is no such program
	healthInterval string
	healthIs       func(c container, status string)
}

// with is the same engine with another runtime.
func (e engine) with(runtime string) engine {
	e.runtime = runtime
	return e
}

// all are the cases that podman and docker share.
func (e engine) all() cases {
	return join(e.life(), e.limits(), e.storage(), e.confinement())
}

// do runs a command of the engine.
func (e engine) do(args ...string) result { return e.given("", args...) }

// given runs a command of the engine with something to read.
func (e engine) given(stdin string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	cmd := command(ctx, e.program, e.words(args)...)
	cmd.Stdin = strings.NewReader(stdin)
	if e.dir != "" {
		cmd.Dir = e.dir
	}
	r := finish(cmd)
	r.command = e.name + " " + strings.Join(args, " ")
	return r
}

// words adds to a command line what all have: the runtime, above all.
func (e engine) words(args []string) []string {
	runtime := []string{"--runtime", e.runtime}
	words := append([]string{}, e.global...)
	if !e.daemon {
		words = append(words, runtime...)
	}
	words = append(words, args[0])
	if args[0] == "run" || args[0] == "create" {
		if !slices.Contains(args, "--network") {
			words = append(words, "--network", "none")
		}
		if e.daemon {
			words = append(words, runtime...)
		}
	}
	return append(words, args[1:]...)
}

// terminal runs a command of the engine in a terminal.
func (e engine) terminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	return inTerminal(t, e.program, e.words(args)...)
}

// ok runs a command that has to succeed and returns what it prints.
func (e engine) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := e.do(args...)
	require.NoError(t, r.failure())
	return strings.TrimSpace(r.out)
}

// once runs a container to its end and returns what it prints. The last word is the
// command of its shell, the others are flags.
func (e engine) once(t *testing.T, flagsAndScript ...string) string {
	t.Helper()
	return e.ok(t, e.shell([]string{"run", "--rm"}, flagsAndScript)...)
}

// shell puts the image and a shell before the last word.
func (e engine) shell(verb, flagsAndScript []string) []string {
	last := len(flagsAndScript) - 1
	words := append(append([]string{}, verb...), flagsAndScript[:last]...)
	return append(words, image, "sh", "-c", flagsAndScript[last])
}

// remove removes a container, whatever it does.
func (e engine) remove(t *testing.T, id string) {
	t.Helper()
	e.ok(t, append(append([]string{"rm", "--force"}, e.perRemove...), id)...)
}

// container is one that was started.
type container struct {
	engine

	t  *testing.T
	id string
}

// start starts a container in the background, which the end of the test removes.
func (e engine) start(t *testing.T, flagsAndScript ...string) container {
	t.Helper()
	id := e.ok(t, e.shell([]string{"run", "--detach"}, flagsAndScript)...)
	return e.have(t, id)
}

// have is a container that exists.
func (e engine) have(t *testing.T, id string) container {
	t.Helper()
	c := container{e, t, id}
	t.Cleanup(func() { e.remove(t, id) })
	return c
}

// inspect returns one thing that the engine knows of the container.
func (c container) inspect(what string) string {
	c.t.Helper()
	return c.ok(c.t, "inspect", "--format", "{{"+what+"}}", c.id)
}

// becomes waits until inspect says something.
func (c container) becomes(what, value string) {
	c.t.Helper()
	await(c.t, func() (bool, string) {
		now := c.inspect(what)
		return now == value, fmt.Sprintf("%s is %s, not %s", what, now, value)
	})
}

// logged waits until the log holds a text.
func (c container) logged(text string) {
	c.t.Helper()
	await(c.t, func() (bool, string) {
		r := c.do("logs", c.id)
		return strings.Contains(r.out+r.err, text), text + " in the log: " + r.out + r.err
	})
}

// exec runs a command in the container; the last word is a shell's, the others are flags.
func (c container) exec(flagsAndScript ...string) result {
	last := len(flagsAndScript) - 1
	words := append([]string{"exec"}, flagsAndScript[:last]...)
	return c.do(append(words, c.id, "sh", "-c", flagsAndScript[last])...)
}

// pid is the process of the container's first command.
func (c container) pid() int {
	c.t.Helper()
	pid, err := strconv.Atoi(c.inspect(".State.Pid"))
	require.NoError(c.t, err)
	require.Greater(c.t, pid, 1)
	return pid
}

// proc reads a file of a process. While one of its threads executes a program the first
// one is a zombie, of which some files cannot be read (execve(2)).
func proc(t *testing.T, pid int, name string) string {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/%s", pid, name)
	text, err := os.ReadFile(path)
	for end := time.Now().Add(long); unreadable(err) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		text, err = os.ReadFile(path)
	}
	require.NoError(t, err)
	return string(text)
}

// unreadable is what the kernel says of a zombie's mounts, namespaces and memory.
func unreadable(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ESRCH)
}

// field returns a line of /proc/PID/status without its name.
//
//	CapEff:	00000000a80425fb
func field(t *testing.T, pid int, name string) string {
	t.Helper()
	for line := range strings.Lines(proc(t, pid, "status")) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	t.Fatalf("/proc/%d/status has no %s", pid, name)
	return ""
}

// cgroupFile reads a file of the cgroup that a process is in, by its name on version 1
// or, where the controller is there, on version 2.
//
//	4:memory:/libpod_parent/libpod-0c…
func cgroupFile(t *testing.T, pid int, controller, v1, v2 string) string {
	t.Helper()
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	for _, h := range hierarchies {
		if !h.Has(controller) {
			continue
		}
		for line := range strings.Lines(proc(t, pid, "cgroup")) {
			_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
			names, path, _ := strings.Cut(rest, ":")
			file := v2
			if h.Version == 1 {
				file = v1
			}
			if (h.Version == 1) != strings.Contains(","+names+",", ","+controller+",") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(h.Mount, path, file))
			require.NoError(t, err)
			return strings.TrimSpace(string(text))
		}
	}
	t.Fatalf("no hierarchy has %s", controller)
	return ""
}

// mountOf returns the last line of a process's mount table for a place.
//
//	4422 4410 0:57 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
func mountOf(t *testing.T, pid int, place string) string {
	t.Helper()
	last := ""
	for line := range strings.Lines(proc(t, pid, "mountinfo")) {
		if strings.Fields(line)[4] == place {
			last = strings.TrimSpace(line)
		}
	}
	assert.NotEmpty(t, last, "nothing is mounted on "+place)
	return last
}

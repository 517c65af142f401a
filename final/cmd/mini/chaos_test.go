package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// chaos is a host on which many work at once and everything is killed now and then.
type chaos struct {
	*mini
	archive string // of an image

	mu      sync.Mutex
	random  *rand.Rand
	images  map[string]string // those that were committed, and what they hold
	volumes map[string]string // those with a name, and what they hold
	killed  map[string]int    // how many of which program
	done    int
}

// number is a random one below n.
func (c *chaos) number(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

// Whatever is killed, images that were committed and volumes that were filled stay, no
// command is kept from its work, and what is left can be mended. MINI_OPERATIONS says how
// many there are: `make chaos`.
func TestKilledAnywhere(t *testing.T) {
	operations := int(setting(t, "MINI_OPERATIONS", 40))
	seed := setting(t, "MINI_SEED", rand.Uint64())
	t.Log("MINI_SEED", seed)
	c := &chaos{
		mini: aloneMini(t), random: rand.New(rand.NewPCG(seed, 0)),
		archive: filepath.Join(t.TempDir(), "archive"),
		images:  map[string]string{}, volumes: map[string]string{}, killed: map[string]int{},
	}
	before := links(t)
	c.ok("save", "-o", c.archive, "base")
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for c.next(operations) && !t.Failed() {
				c.operation()
			}
		})
	}
	workers.Wait()
	t.Log("killed:", c.killed, "images:", len(c.images), "volumes:", len(c.volumes))

	// Who is still at work is left alone, and may leave something a moment later.
	eventually(t, "all is mended", func() bool {
		r := c.do("system", "check", "--repair")
		require.Zero(t, r.status, r.out+r.err)
		return c.do("system", "check").status == 0
	})
	c.intact()
	for id := range strings.FieldsSeq(c.ok("ps", "-aq")) {
		c.ok("rm", "-f", id)
	}
	c.ok("network", "prune", "-f")
	assert.Empty(t, c.ok("system", "check"))
	c.empty()
	assert.Equal(t, before, links(t))
	assert.Empty(t, cgroupsOf(t, ""))
	// What keeps an ordinary user's namespaces ends a moment after who needed it.
	eventually(t, "all have ended", func() bool { return len(c.processes()) == 0 })
}

// setting is a number of the environment, or another one.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err)
	return n
}

// next counts the operations.
func (c *chaos) next(most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	return c.done <= most
}

// intact makes sure that nothing was lost that was finished.
func (c *chaos) intact() {
	c.t.Helper()
	for name, text := range c.images {
		assert.Equal(c.t, text, c.ok("run", "--rm", "--network", "none", name, "cat", "/mark"))
	}
	for name, text := range c.volumes {
		content, err := os.ReadFile(filepath.Join(c.root, "volumes", name, "_data/mark"))
		if assert.NoError(c.t, err) {
			assert.Equal(c.t, text+"\n", string(content))
		}
	}
}

// operation does one thing, and is killed in the midst of it every third time.
func (c *chaos) operation() {
	unique := fmt.Sprint("u", c.number(1<<40))
	box := fmt.Sprint("box", c.number(4))
	volume, network, tag := fmt.Sprint("v", c.number(3)), fmt.Sprint("n", c.number(2)),
		fmt.Sprint("t", c.number(3))
	mark := "echo " + unique + " > /mark; sleep 1000"
	all := [][]string{
		{"run", "-d", "--name", box, "-v", volume + ":/data", "base", "sh", "-c", mark},
		{"run", "-d", "--name", box, "--network", "none", "-v", "/data", "base", "sh", "-c", mark},
		{"run", "-d", "--rm", "--name", box, "--network", network, "base", "sh", "-c", mark},
		{"run", "--rm", "--network", "none", "base", "true"},
		{"create", "--name", box, "base", "sh", "-c", mark},
		{"run", "-d", "--userns", "auto", "--name", box, "-v", "/data", "base", "sh", "-c", mark},
		{"start", box},
		{"exec", box, "true"},
		{"stop", "-t", "0", box},
		{"restart", "-t", "0", box},
		{"kill", box},
		{"rm", box},
		{"rm", "-f", box},
		{"rename", box, fmt.Sprint("box", c.number(4))},
		{"ps", "-a"},
		{"diff", box},
		{"cp", c.archive, box + ":/"},
		{"tag", "base", tag},
		{"rmi", tag},
		{"load", "-q", "-i", c.archive},
		{"image", "prune", "-f"},
		{"container", "prune", "-f"},
		{"volume", "create", volume},
		{"volume", "rm", volume},
		{"network", "create", network},
		{"network", "rm", network},
		{"system", "df"},
		{"system", "check", "--repair"},
	}
	switch n := c.number(len(all) + 6); {
	case n < len(all):
		c.try(all[n]...)
	case n < len(all)+3:
		c.commit(unique)
	default:
		if c.try("run", "--rm", "--network", "none", "-v", unique+":/data", "base", "sh", "-c",
			"echo "+unique+" > /data/mark") {
			c.mu.Lock()
			c.volumes[unique] = unique
			c.mu.Unlock()
		}
	}
}

// commit makes an image that has to stay.
func (c *chaos) commit(name string) {
	if !c.try("create", "--name", name, "base", "sh") {
		return
	}
	path := filepath.Join(c.t.TempDir(), "mark")
	if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
		c.t.Error(err)
		return
	}
	if c.try("cp", path, name+":/mark") && c.try("commit", name, name) {
		c.mu.Lock()
		c.images[name] = name
		c.mu.Unlock()
	}
	c.try("rm", name)
}

// try does something and tells whether it went well. It may fail, since others are at
// work; it may not last for ever, nor panic. Every third time somebody is killed
// meanwhile: the command, or whoever else is at work.
func (c *chaos) try(args ...string) bool {
	cmd := c.command(args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		c.t.Error(err)
		return false
	}
	overdue := time.AfterFunc(long, func() {
		c.t.Errorf("mini %s does not end", args)
		_ = cmd.Process.Kill() // it may have ended by now
	})
	defer overdue.Stop()
	if c.number(3) == 0 {
		time.Sleep(time.Duration(c.number(80)) * time.Millisecond)
		if c.number(2) == 0 {
			_ = cmd.Process.Kill() // it may have ended by now
		} else {
			c.killAny()
		}
	}
	err := cmd.Wait()
	assert.NotContains(c.t, said.String(), "goroutine ", "mini %s", args)
	return err == nil
}

// processes are the mini, monitors and runtimes that are at work here, by their numbers.
func (c *chaos) processes() map[int]string {
	found := map[int]string{}
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		words := strings.Split(string(text), "\x00")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && pid > 1 && strings.Contains(string(text), filepath.Dir(c.root)+"/") {
			found[pid] = filepath.Base(words[0])
		}
	}
	return found
}

// killAny kills one of them, if it still is what it was.
func (c *chaos) killAny() {
	all := c.processes()
	skip := c.number(max(len(all), 1))
	for pid, name := range all {
		if skip--; skip >= 0 {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return // it has ended
		}
		if c.processes()[pid] == name && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
			c.mu.Lock()
			c.killed[name]++
			c.mu.Unlock()
			awaitEnd(c.t, fd)
		}
		_ = unix.Close(fd) // it was only looked at
		return
	}
}

// awaitEnd waits until a process is dead: nobody could tell before that it is lost.
func awaitEnd(t *testing.T, pidfd int) {
	t.Helper()
	ready := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	_, err := unix.Poll(ready, int(long.Milliseconds()))
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Poll(ready, int(long.Milliseconds()))
	}
	assert.NoError(t, err)
}

// links are the names of this host's network interfaces.
func links(t *testing.T) []string {
	t.Helper()
	all, err := net.Interfaces()
	require.NoError(t, err)
	var names []string
	for _, link := range all {
		names = append(names, link.Name)
	}
	return names
}

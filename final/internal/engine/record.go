//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"lab/final/internal/image"
	"lab/final/internal/monitor"
	"lab/final/internal/volume"
)

// Container is one, in the words of `docker inspect`.
type Container struct {
	ID      string `json:"Id"`
	Created time.Time
	Path    string
	Args    []string
	State   monitor.State
	Image   string // the image's ID

	ResolvConfPath, HostnamePath, HostsPath, LogPath string

	Name         string
	RestartCount int
	Driver       string
	Platform     string
	HostConfig   HostConfig
	Config       Config
	Mounts       []volume.Mount `json:",omitempty"`

	Layers      []digest.Digest // the image's, the uppermost first
	Lower       []string        `json:",omitempty"` // the directories in place of an image
	Upper       string          `json:",omitempty"` // where changes go, if somebody has named it
	RuntimePath string
	FirstID     uint32 `json:",omitempty"` // whom its root stands for if it has users of its own
	// Tied to whoever starts it: it ends with their connection, and is not removed before.
	Tied bool `json:",omitempty"`
}

// Config is what belongs to the container wherever it runs.
type Config struct {
	Hostname    string
	User        string
	Tty         bool
	OpenStdin   bool
	Env         []string
	Cmd         []string
	Image       string // as it was asked for
	WorkingDir  string
	Entrypoint  []string
	Labels      map[string]string
	StopSignal  string `json:",omitempty"`
	StopTimeout *int   `json:",omitempty"`
	// ExposedPorts are those that its programs listen on: 80/tcp.
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Healthcheck  *image.Healthcheck  `json:",omitempty"`
}

// recordPath is the file of a container.
func (e *Engine) recordPath(id string) string { return filepath.Join(e.dir(id), "container.json") }

// statePath is the file of how it is doing.
func (e *Engine) statePath(id string) string { return filepath.Join(e.dir(id), "state.json") }

// save writes the record of a container.
func (e *Engine) save(c *Container) error {
	record := *c
	record.State = monitor.State{} // it has a file of its own
	return writeJSON(e.recordPath(c.ID), record)
}

// load reads a container and how it is doing. One of which the monitor is gone has not
// ended in order: it is mended, by one command at a time.
func (e *Engine) load(id string) (*Container, error) {
	c, err := e.read(id)
	if err != nil || !c.isLost() {
		return c, err
	}
	lock, err := e.lock(id)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	return e.loadLocked(id)
}

// loadLocked is load for who holds the container's lock.
func (e *Engine) loadLocked(id string) (*Container, error) {
	c, err := e.read(id)
	if err != nil || !c.isLost() {
		return c, err
	}
	if err := e.mend(c); err != nil {
		return nil, fmt.Errorf("container %s: %w", short(id), err)
	}
	return c, nil
}

// read reads a container and how it is doing, as it is written down. A state that a power
// cut has damaged is one that nobody knows.
func (e *Engine) read(id string) (*Container, error) {
	c := &Container{}
	err := readJSON(e.recordPath(id), c)
	if err == nil {
		err = readJSON(e.statePath(id), &c.State)
		if errors.Is(err, ErrDamaged) {
			c.State = monitor.State{Status: monitor.Gone, ExitCode: lost, Error: err.Error()}
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", short(id), err)
	}
	c.RestartCount = c.State.RestartCount
	return c, nil
}

// isUp reports whether a container has a monitor at work, or had when it was last heard of.
func (c *Container) isUp() bool {
	return c.State.Status != monitor.Gone && c.State.Status != monitor.Created
}

// isLost reports whether its monitor is gone without a word, or who was about to start it.
func (c *Container) isLost() bool {
	awaited := c.State.Status == monitor.Created && c.State.Monitor.Pid != 0
	return (c.isUp() || awaited) && !c.State.Monitor.Alive()
}

// all are the IDs of all containers.
func (e *Engine) all() ([]string, error) {
	entries, err := os.ReadDir(e.path("containers"))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, entry := range entries {
		if len(entry.Name()) == idLength {
			ids = append(ids, entry.Name())
		}
	}
	return ids, nil
}

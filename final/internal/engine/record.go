//go:build linux

package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

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

	// Lower are the image's layers, the uppermost first.
	Lower       []string
	Upper       string `json:",omitempty"` // where changes go, if somebody has named it
	RuntimePath string
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
// ended in order: it is mended.
func (e *Engine) load(id string) (*Container, error) {
	c := &Container{}
	err := readJSON(e.recordPath(id), c)
	if err == nil {
		err = readJSON(e.statePath(id), &c.State)
	}
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", short(id), err)
	}
	if c.isUp() && !c.State.Monitor.Alive() {
		if err := e.mend(c); err != nil {
			return nil, fmt.Errorf("container %s: %w", short(id), err)
		}
	}
	c.RestartCount = c.State.RestartCount
	return c, nil
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

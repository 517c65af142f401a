//go:build linux

package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lab/final/internal/monitor"
	"lab/final/internal/volume"
)

// Request is what a new container is to be.
type Request struct {
	Name       string // a made-up one if none
	Image      string
	Unfinished *Image   // layers that are no image yet, in place of Image
	Rootfs     []string // directories in place of an image; see rootdir.go
	Upper      string   // with them, where changes go
	Args       []string // in place of the image's command
	Entrypoint *string  // in place of the image's; an empty one is none
	Config     Config   // over that of the image; Env and Labels are added to it
	HostConfig HostConfig
	Mounts     []volume.Mount
	Tied       bool // see Container
	// AtOnce says that who makes it starts it: if it is to be removed after its end, it is
	// also removed if they end before that.
	AtOnce bool
}

// Create makes a container that does not run yet.
func (e *Engine) Create(ctx context.Context, r Request) (*Container, error) {
	if r.Unfinished == nil {
		image, release, err := e.image(ctx, &r)
		if err != nil {
			return nil, err
		}
		defer release()
		r.Unfinished = &image
	}
	c, err := e.describe(r, *r.Unfinished)
	if err != nil {
		return nil, err
	}
	done, err := e.giveIDs(c)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Mkdir(e.dir(c.ID), 0o710); err != nil {
		return nil, err
	}
	if err := e.furnish(c, r.Name); err != nil {
		return nil, errors.Join(err, e.erase(c))
	}
	e.tell(c, "create", nil)
	return c, nil
}

// describe works out what a container is of what is asked for and what the image says.
func (e *Engine) describe(r Request, image Image) (*Container, error) {
	path, err := runtimePath(e.Runtime)
	if err != nil {
		return nil, err
	}
	id := newID()
	c := &Container{
		ID: id, Created: time.Now().UTC(), Image: image.ID, Name: r.Name,
		Driver: "overlay", Platform: "linux", Config: merge(r, image.Config),
		HostConfig: r.HostConfig, Mounts: r.Mounts, Layers: image.Layers, Lower: image.Lower,
		Upper: r.Upper, RuntimePath: path,
		State: monitor.State{Status: monitor.Created}, Tied: r.Tied,
	}
	c.HostConfig.Runtime = e.Runtime
	if c.Config.Hostname == "" {
		c.Config.Hostname = short(id)
	}
	command := slices.Concat(c.Config.Entrypoint, c.Config.Cmd)
	if len(command) == 0 {
		return nil, fmt.Errorf("image %q names no command, and none was given", r.Image)
	}
	c.Path, c.Args = command[0], command[1:]
	for name, path := range map[string]*string{
		"resolv.conf": &c.ResolvConfPath, "hostname": &c.HostnamePath,
		"hosts": &c.HostsPath, "log": &c.LogPath,
	} {
		*path = filepath.Join(e.dir(id), name)
	}
	if r.AtOnce && r.HostConfig.AutoRemove {
		if c.State.Monitor, err = monitor.Self(); err != nil {
			return nil, err
		}
	}
	_, err = stopSignal(c)
	return c, errors.Join(err, c.publishAll(), c.HostConfig.check(), c.HostConfig.checkModes(),
		e.checkUsers(&c.HostConfig, c.Mounts),
		c.HostConfig.checkNetwork(), e.dropLimits(&c.HostConfig))
}

// merge puts what was asked for over what the image says.
func merge(r Request, image Config) Config {
	c := r.Config
	c.Image = r.Image
	c.Env = mergeEnv(image.Env, r.Config.Env)
	c.ExposedPorts = maps.Clone(image.ExposedPorts)
	for port := range r.Config.ExposedPorts {
		if c.ExposedPorts == nil {
			c.ExposedPorts = map[string]struct{}{}
		}
		c.ExposedPorts[port] = struct{}{}
	}
	c.Healthcheck = mergeHealth(image.Healthcheck, r.Config.Healthcheck)
	c.Labels = map[string]string{}
	for _, labels := range []map[string]string{image.Labels, r.Config.Labels} {
		maps.Copy(c.Labels, labels)
	}
	c.Entrypoint, c.Cmd = image.Entrypoint, image.Cmd
	if r.Entrypoint != nil {
		// The image's command belongs to its own entry point.
		c.Entrypoint, c.Cmd = nil, nil
		if *r.Entrypoint != "" {
			c.Entrypoint = []string{*r.Entrypoint}
		}
	}
	if len(r.Args) > 0 {
		c.Cmd = r.Args
	}
	for _, field := range []struct {
		to   *string
		from string
	}{
		{&c.User, image.User},
		{&c.WorkingDir, image.WorkingDir},
		{&c.StopSignal, image.StopSignal},
	} {
		if *field.to == "" {
			*field.to = field.from
		}
	}
	return c
}

// mergeEnv adds variables to others; of two with one name the later one counts.
func mergeEnv(base, more []string) []string {
	env := slices.Clone(base)
	for _, variable := range more {
		name, _, _ := strings.Cut(variable, "=")
		same := func(v string) bool { return strings.HasPrefix(v, name+"=") }
		if i := slices.IndexFunc(env, same); i >= 0 {
			env[i] = variable
		} else {
			env = append(env, variable)
		}
	}
	return env
}

// furnish fills the directory of a new container. With its record it exists.
func (e *Engine) furnish(c *Container, name string) error {
	for _, dir := range []string{"upper", "work", "init"} {
		if err := os.Mkdir(filepath.Join(e.dir(c.ID), dir), 0o755); err != nil {
			return err
		}
	}
	if err := e.writeInit(c); err != nil {
		return err
	}
	if err := e.name(c, name); err != nil {
		return err
	}
	if err := e.useVolumes(c); err != nil {
		return err
	}
	if err := writeJSON(e.statePath(c.ID), c.State); err != nil {
		return err
	}
	return e.save(c)
}

// name gives a container the name that it is to have, or one that is free.
func (e *Engine) name(c *Container, wanted string) error {
	if wanted != "" {
		return e.claimName(wanted, c.ID)
	}
	for {
		c.Name = randomName()
		if err := e.claimName(c.Name, c.ID); !errors.Is(err, ErrTaken) {
			return err
		}
	}
}

// writeInit makes the layer between the image and what the container writes: the places
// on which the engine and the runtime mount something. It is no part of what the container
// has changed.
func (e *Engine) writeInit(c *Container) error {
	init := filepath.Join(e.dir(c.ID), "init")
	for _, dir := range []string{"dev", "etc", "proc", "sys"} {
		if err := os.Mkdir(filepath.Join(init, dir), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"etc/hosts", "etc/hostname", "etc/resolv.conf"} {
		if err := os.WriteFile(filepath.Join(init, name), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"lab/final/internal/volume"
)

// Volumes opens the volumes of the engine's root directory.
func (e *Engine) Volumes() (*volume.Store, error) { return volume.Open(e.path("volumes")) }

// useVolumes notes which volumes a new container has. One without a name gets one.
func (e *Engine) useVolumes(c *Container) error {
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if m.Kind != volume.Named {
			continue
		}
		store, err := e.Volumes()
		if err != nil {
			return err
		}
		v, err := store.Use(m.Source, c.ID)
		if err != nil {
			return err
		}
		m.Source = v.Name
	}
	return nil
}

// mountVolumes fills empty volumes with what the image has at their places, and tells how
// all is mounted.
func (e *Engine) mountVolumes(c *Container, l *lending) ([]specs.Mount, error) {
	var all []specs.Mount
	for i, m := range c.Mounts {
		source, err := e.source(c, m)
		if err == nil && m.IsLent() {
			source, err = l.lend(source, volumePlace(i))
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m.OCI(source))
	}
	return all, nil
}

// volumePlace is where a container finds a volume that it is lent, by its number.
func volumePlace(i int) string { return fmt.Sprint("volume", i) }

// source is what is mounted: the directory of a volume or of the host.
func (e *Engine) source(c *Container, m volume.Mount) (string, error) {
	if m.Kind == volume.Bind {
		if _, err := os.Stat(m.Source); errors.Is(err, os.ErrNotExist) && m.MakeSource {
			return m.Source, os.MkdirAll(m.Source, 0o755)
		} else if err != nil {
			return "", fmt.Errorf("mount on %s: %w", m.Target, err)
		}
	}
	if m.Kind != volume.Named {
		return m.Source, nil
	}
	store, err := e.Volumes()
	if err != nil {
		return "", err
	}
	if !m.NoCopy && !c.isUp() {
		if err := store.Fill(m.Source, c.ID, e.rootfs(c.ID), m.Target); err != nil {
			return "", err
		}
	}
	v, err := store.Inspect(m.Source)
	return v.Path, err
}

// releaseVolumes gives back a container's volumes. Those without a name that nobody else
// has go with a container that removes itself, or that is removed with them.
func (e *Engine) releaseVolumes(c *Container, anonymous bool) error {
	if len(c.Mounts) == 0 && !c.Created.IsZero() { // else there is no record that would tell
		return nil
	}
	store, err := e.Volumes()
	if err != nil {
		return err
	}
	orphans, err := store.Release(c.ID)
	if err != nil || !anonymous {
		return err
	}
	var errs []error
	for _, name := range orphans {
		errs = append(errs, store.Remove(name, e.exists))
	}
	return errors.Join(errs...)
}

// exists reports whether there is a container of that ID, or is about to be one.
func (e *Engine) exists(id string) bool {
	_, err := os.Lstat(e.dir(id))
	return err == nil
}

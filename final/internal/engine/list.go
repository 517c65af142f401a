//go:build linux

package engine

import (
	"errors"
	"io/fs"
	"slices"
)

// List returns all containers, the youngest first. One that is removed meanwhile is not
// among them, and neither is one that is being made or whose record is damaged: Check tells
// of that.
func (e *Engine) List() ([]*Container, error) { return e.list(e.load) }

// list lists them as load or read reads them.
func (e *Engine) list(load func(id string) (*Container, error)) ([]*Container, error) {
	ids, err := e.all()
	if err != nil {
		return nil, err
	}
	var all []*Container
	for _, id := range ids {
		c, err := load(id)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotFound) ||
			errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Container) int { return b.Created.Compare(a.Created) })
	return all, nil
}

package main

import (
	"errors"

	"golang.org/x/sys/unix"

	"lab/final/internal/engine"
	"lab/final/internal/image"
	"lab/final/internal/network"
	"lab/final/internal/volume"
)

// hintOf is what may help against an error, or nothing: what the error itself says of that
// before what goes for all of its kind.
func hintOf(err error) string {
	own, ok := errors.AsType[interface {
		error
		Hint() string
	}](err)
	if ok && own.Hint() != "" {
		return own.Hint()
	}
	for _, known := range []struct {
		err  error
		hint string
	}{
		{engine.ErrNotFound, "mini ps -a lists all containers"},
		{engine.ErrTaken, "mini rm removes it; --name or mini rename gives another name"},
		{engine.ErrDamaged, "mini system check --repair removes what cannot be used any more"},
		{image.ErrReference, "[HOST/]NAME[:TAG|@DIGEST], in small letters"},
		{image.ErrCorrupt, "mini system check --repair makes room for a whole one"},
		{volume.ErrInUse, "mini rm removes the containers that have it"},
		{volume.ErrNotFound, "mini volume ls lists all"},
		{unix.ENOSPC, "mini system df shows what takes the room, mini system prune makes some"},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return network.Hint(err)
}

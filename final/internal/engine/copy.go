//go:build linux

package engine

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"lab/final/internal/layer"
	"lab/final/internal/rootfs"
)

// Copy says how files are copied into a container or out of it.
type Copy struct {
	Owners bool // keep owners, and what rights files give
	Follow bool // copy what a link leads to, if the name is one
}

// CopyOut copies a file or directory of a container to a name of this host.
func (e *Engine) CopyOut(c *Container, name, to string, o Copy) error {
	mine := &layer.Owner{UID: os.Getuid(), GID: os.Getgid()}
	return e.withFiles(c, func(inside end, host *rootfs.Root) error {
		return transfer(inside.at(name), end{root: host, name: to}, o, mine)
	})
}

// CopyIn copies a file or directory of this host to a name in a container. Without
// Owners it is its root's.
func (e *Engine) CopyIn(c *Container, from, name string, o Copy) error {
	return e.withFiles(c, func(inside end, host *rootfs.Root) error {
		return transfer(end{root: host, name: from}, inside.at(name), o, &layer.Owner{})
	})
}

// Archive writes a file or directory of a container as a tar.
func (e *Engine) Archive(c *Container, name string, w io.Writer, o Copy) error {
	return e.withFiles(c, func(inside end, _ *rootfs.Root) error {
		from, err := source(inside.at(name), o)
		if err != nil {
			return err
		}
		defer from.close()
		as := from.title
		if from.whole {
			as = "."
		}
		return layer.Pack(w, from.dir, from.word, as, inside.writeOptions())
	})
}

// Extract unpacks a tar in a directory of a container, with the owners that it names.
func (e *Engine) Extract(c *Container, name string, r io.Reader) error {
	return e.withFiles(c, func(inside end, _ *rootfs.Root) error {
		dir, err := inside.root.Resolve(name + "/.")
		if err != nil {
			return fmt.Errorf("directory %s: %w", name, err)
		}
		defer unix.Close(dir) //nolint:errcheck // Nothing was written to it.
		return inside.unpack(dir, r, layer.Options{Plain: true, Merge: true})
	})
}

// Export writes all of a container's files as a tar, without what is in its volumes.
func (e *Engine) Export(c *Container, w io.Writer) error {
	return e.locked(c, func(c *Container) error {
		inside, err := e.view(c, false)
		if err != nil {
			return err
		}
		defer inside.Close()
		top, err := inside.Resolve("/")
		if err != nil {
			return err
		}
		defer unix.Close(top) //nolint:errcheck // It was read.
		return layer.Pack(w, top, ".", ".", end{shift: c.shift()}.writeOptions())
	})
}

// locked does something with a container that nobody starts, removes or renames meanwhile.
func (e *Engine) locked(c *Container, do func(*Container) error) error {
	lock, err := e.lock(c.ID)
	if err != nil {
		return err
	}
	defer lock.Close()
	if c, err = e.loadLocked(c.ID); err != nil {
		return err
	}
	return do(c)
}

// withFiles does something with a container's files and the host's.
func (e *Engine) withFiles(c *Container, do func(inside end, host *rootfs.Root) error) error {
	return e.locked(c, func(c *Container) error {
		inside, err := e.view(c, true)
		if err != nil {
			return err
		}
		defer inside.Close()
		host, err := rootfs.Open("/")
		if err != nil {
			return err
		}
		defer host.Close()
		return do(end{root: inside, shift: c.shift()}, host)
	})
}

// end is a name on one side of a copy.
type end struct {
	root  *rootfs.Root
	shift layer.Shift // whom its user 0 stands for here
	name  string
}

// at is a name on the same side.
func (s end) at(name string) end { return end{s.root, s.shift, name} }

// writeOptions are those with which its files are packed.
func (s end) writeOptions() layer.WriteOptions {
	return layer.WriteOptions{Plain: true, Shift: s.shift}
}

// unpack unpacks a tar in a directory of it, as its user 0.
func (s end) unpack(dir int, r io.Reader, o layer.Options) error {
	o.Shift = s.shift
	return asRoot(int(s.shift), func() error { return layer.UnpackAt(dir, r, o) })
}

// source finds what is to be copied.
func source(from end, o Copy) (*spot, error) {
	s, err := locate(from.root, from.name, o.Follow)
	if err == nil && (s.kind == 0 || s.asDir && !s.isDir()) {
		s.close()
		err = fmt.Errorf("%s: %w", from.name, unix.ENOENT)
	}
	return s, err
}

// transfer copies by way of a tar that is unpacked while it is written.
func transfer(from, to end, o Copy, owner *layer.Owner) error {
	what, err := source(from, o)
	if err != nil {
		return err
	}
	defer what.close()
	where, err := locate(to.root, to.name, true)
	if err != nil {
		return err
	}
	defer func() { where.close() }() // it may enter a directory
	as, err := where.room(what)
	if err != nil {
		return err
	}
	options := layer.Options{Plain: true, Merge: true}
	if !o.Owners {
		options.Owner, options.Tame = owner, true
	}
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := layer.Pack(w, what.dir, what.word, as, from.writeOptions())
		_ = w.CloseWithError(err) // it always succeeds
		packed <- err
	}()
	err = to.unpack(where.dir, r, options)
	_ = r.Close() // it always succeeds
	if failed := <-packed; failed != nil && !errors.Is(failed, io.ErrClosedPipe) {
		return failed // the other one is about its consequence
	}
	return err
}

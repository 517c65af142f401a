package initproc

import (
	"fmt"

	"lab/final/internal/plan"
	"lab/final/internal/rootfs"

	"golang.org/x/sys/unix"
)

// mounts performs what concerns the root and what is mounted in it.
func (p *process) mounts(action plan.Action) (mine bool, err error) {
	switch op := action.(type) {
	case plan.Propagate:
		err = unix.Mount("", "/", "", op.Flags, "")
	case plan.BindRoot:
		if tree := p.job.Files[op.From]; tree != 0 {
			p.root, err = rootfs.Attach(tree, op.Path)
		} else {
			p.root, err = rootfs.Bind(op.Path)
		}
	case plan.Mount:
		err = p.root.Mount(rootfs.FS{
			Type: op.Type, Source: op.Source, Target: op.Target, Flags: op.Flags,
			Data: op.Data, Propagation: op.Propagation, CopyUp: op.CopyUp,
		})
	case plan.Bind:
		err = p.bind(op)
	case plan.BindHost:
		err = p.bind(op.Bind())
	case plan.Protect:
		err = p.root.Protect(op.Path)
	case plan.Mask:
		err = p.root.Mask(op.Path)
	case plan.ReadonlyMount:
		err = p.root.Readonly(op.Target)
	case plan.PivotRoot:
		err = p.leave(p.root.Pivot)
	case plan.MoveRoot:
		err = p.leave(p.root.Move)
	default:
		return false, nil
	}
	return true, err
}

// bind shows a part of the host.
func (p *process) bind(op plan.Bind) error {
	return p.root.Bind(rootfs.Tree{
		Source: op.Source, Open: p.job.Files[op.From], Target: op.Target, Recursive: op.Recursive,
		Attrs: rootfs.Attrs(op.Attrs), All: rootfs.Attrs(op.Tree), Propagation: op.Propagation,
	})
}

// leave leaves the host's root, and lets go of the container's: it is / from here on.
func (p *process) leave(how func() error) error {
	if err := how(); err != nil {
		return err
	}
	return p.root.Close()
}

// devices performs what concerns device files and the terminal.
func (p *process) devices(action plan.Action) (mine bool, err error) {
	switch op := action.(type) {
	case plan.MakeDir:
		var fd int
		if fd, err = p.root.Dir(op.Path); err == nil {
			err = unix.Close(fd)
		}
	case plan.Node:
		err = p.in(op.Path, op.Make)
	case plan.BindNode:
		err = p.in(op.Path, op.Bind)
	case plan.Link:
		err = p.in(op.Path, op.Make)
	case plan.Console:
		err = p.console(op)
	default:
		return false, nil
	}
	return true, err
}

// in makes something in its directory in the root.
func (p *process) in(path string, make func(dir int, name string) error) error {
	dir, name, err := p.root.Parent(path)
	if err != nil {
		return fmt.Errorf("find its directory: %w", err)
	}
	defer func() { _ = unix.Close(dir) }() // it was not written to
	return make(dir, name)
}

package baseroot

import (
	"fmt"
	"strings"
)

// Kind is where the programs of a root come from.
type Kind int

// The kinds of a Source.
const (
	Box     Kind = iota // the applets of internal/box
	Busybox             // the machine's static busybox
	Dir                 // a copy of a directory
)

// Source is what a root is made from. The zero value is the default, box.
type Source struct {
	Kind Kind
	// Path is the directory to copy, or the busybox to use; an empty Path of a busybox
	// means the one in PATH.
	Path string
	// Lab is a static lab binary; empty means the one StaticBinary finds.
	Lab string
	// Linked has the programs of a box be names of Lab itself, which lies in the same
	// mount then. Whoever writes to one writes to all: it is for containers of which it
	// is known that they do not, for a copy takes time in an emulated machine.
	Linked bool
}

// ParseSource parses the form of a command line: box, busybox or dir:PATH; the empty
// string is box.
func ParseSource(s string) (Source, error) {
	kind, path, hasPath := strings.Cut(s, ":")
	switch {
	case s == "" || s == "box":
		return Source{Kind: Box}, nil
	case s == "busybox":
		return Source{Kind: Busybox}, nil
	case kind == "busybox" && path != "":
		return Source{Kind: Busybox, Path: path}, nil
	case kind == "dir" && path != "":
		return Source{Kind: Dir, Path: path}, nil
	case kind == "dir" && hasPath:
		return Source{}, fmt.Errorf("source %q: the directory is missing", s)
	}
	return Source{}, fmt.Errorf("source %q: want box, busybox or dir:PATH", s)
}

// String returns the form that ParseSource reads.
func (s Source) String() string {
	switch s.Kind {
	case Busybox:
		if s.Path != "" {
			return "busybox:" + s.Path
		}
		return "busybox"
	case Dir:
		return "dir:" + s.Path
	case Box:
	}
	return "box"
}

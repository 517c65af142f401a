//go:build linux

package engine

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"lab/final/internal/rootfs"
)

// spot is where a name is: an open directory, and a word in it, "." for itself.
type spot struct {
	dir   int
	word  string
	title string // what it is called in a tar
	kind  uint32 // of S_IFMT; 0 if nothing is there
	asDir bool   // the name ends in a slash: it is meant to be a directory
	whole bool   // the name ends in a dot: what is in the directory is meant
}

// close closes the directory.
func (s *spot) close() { _ = unix.Close(s.dir) } // nothing was written to it

// isDir reports whether a directory is there.
func (s *spot) isDir() bool { return s.kind == unix.S_IFDIR }

// mostLinks is how many symbolic links are followed, as many as the kernel follows.
const mostLinks = 40

// locate finds a name below a root: no link leads out of it. A link at its end is
// followed if that is wanted.
func locate(root *rootfs.Root, name string, follow bool) (*spot, error) {
	found := spot{asDir: strings.HasSuffix(name, "/"), title: path.Base(path.Clean("/" + name))}
	found.whole = found.title == "/" || name == "." || strings.HasSuffix(name, "/.")
	follow = follow || found.asDir
	for range mostLinks {
		s, target, err := lookAt(root, name)
		if err != nil {
			return nil, err
		}
		if s.kind != unix.S_IFLNK || !follow {
			found.dir, found.word, found.kind = s.dir, s.word, s.kind
			return &found, nil
		}
		s.close()
		if !strings.HasPrefix(target, "/") {
			// Not cleaned: what .. means depends on the links before it.
			above, _ := cutLast(name)
			target = above + "/" + target
		}
		name = target
	}
	return nil, unix.ELOOP
}

// lookAt opens the directory of a name and looks at what has the last word of it, and
// where that leads if it is a link.
func lookAt(root *rootfs.Root, name string) (s spot, target string, err error) {
	above, word := cutLast(name)
	if word == "" || word == "." || word == ".." {
		// It can be nothing but a directory.
		above, word = name+"/.", "."
	}
	s = spot{word: word}
	if s.dir, err = root.Resolve(above); err != nil {
		return s, "", fmt.Errorf("directory %s: %w", path.Clean(above), err)
	}
	var stat unix.Stat_t
	err = unix.Fstatat(s.dir, word, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return s, "", nil
	}
	if s.kind = stat.Mode & unix.S_IFMT; err == nil && s.kind == unix.S_IFLNK {
		var buffer [unix.PathMax]byte
		var n int
		n, err = unix.Readlinkat(s.dir, word, buffer[:])
		target = string(buffer[:max(n, 0)])
	}
	if err != nil {
		s.close()
		return s, "", fmt.Errorf("%s: %w", name, err)
	}
	return s, target, nil
}

// cutLast parts a name into the directory and the last word.
func cutLast(name string) (above, word string) {
	name = strings.TrimRight(name, "/")
	i := strings.LastIndexByte(name, '/')
	return name[:i+1] + ".", name[i+1:]
}

// room decides where a copy is to be: in which open directory, under which name. A
// directory takes what is copied in, under the name it has; what is not there is made.
func (s *spot) room(from *spot) (as string, err error) {
	switch {
	case s.isDir() && from.whole:
		return ".", s.enter()
	case s.isDir():
		return from.title, s.enter()
	case s.kind != 0 && (s.asDir || from.isDir()):
		return "", fmt.Errorf("%s: %w", s.word, unix.ENOTDIR)
	case s.kind == 0 && s.asDir && !from.isDir():
		return "", fmt.Errorf("directory %s: %w", s.word, unix.ENOENT)
	}
	return s.word, nil
}

// enter makes the directory that is there the open one.
func (s *spot) enter() error {
	fd, err := unix.Openat(s.dir, s.word,
		unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("directory %s: %w", s.word, err)
	}
	s.close()
	s.dir, s.word = fd, "."
	return nil
}

package layer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// How names in a tar say what is deleted.
const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh."     // names of aufs(5)'s own, of which one is a layer's:
	whiteoutOpaque = ".wh..wh..opq" // nothing of this directory is in lower layers
)

// The attribute of an opaque directory, with and without the right to trusted.*.
const (
	trustedOpaque = "trusted.overlay.opaque"
	userOpaque    = "user.overlay.opaque"
)

// whiteout writes down what an entry named .wh.… deletes.
func (x *extraction) whiteout(dir int, base string) error {
	if base == whiteoutOpaque {
		return makeOpaque(dir, ".")
	}
	if strings.HasPrefix(base, whiteoutMeta) {
		return nil // what aufs keeps for itself means nothing in a layer
	}
	name := strings.TrimPrefix(base, whiteoutPrefix)
	if name == "" || name == "." || name == ".." {
		return fmt.Errorf("%w: the whiteout %q deletes no name", ErrHostile, base)
	}
	return hide(dir, name)
}

// hide makes a whiteout. What this layer itself has under the name hides a lower file all
// the same; a directory of its own must not let a lower one shine through.
func hide(dir int, name string) error {
	err := unix.Mknodat(dir, name, unix.S_IFCHR, 0)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Fstatat(dir, name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return makeOpaque(dir, name)
	}
	return nil
}

// isWhiteout reports whether a name is overlay's whiteout.
func isWhiteout(dir int, base string) bool {
	var stat unix.Stat_t
	err := unix.Fstatat(dir, base, &stat, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && whiteoutStat(&stat)
}

// whiteoutStat reports whether a file is overlay's whiteout, a character device 0:0.
func whiteoutStat(stat *unix.Stat_t) bool {
	return stat.Mode&unix.S_IFMT == unix.S_IFCHR && stat.Rdev == 0
}

// makeOpaque hides what lower layers have in a directory.
//
//	setfattr -n trusted.overlay.opaque -v y DIR
func makeOpaque(dir int, base string) error {
	fd, err := openDir(dir, base)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // Nothing was written to it.
	err = unix.Fsetxattr(fd, trustedOpaque, []byte("y"), 0)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		err = unix.Fsetxattr(fd, userOpaque, []byte("y"), 0)
	}
	if err != nil {
		return &os.PathError{Op: "setxattr overlay.opaque", Path: base, Err: err}
	}
	return nil
}

// NeedsUserXattr reports whether overlays of layers that this process unpacked are to be
// mounted with userxattr: only the first user namespace may write trusted attributes.
//
//	/proc/self/uid_map:          0          0 4294967295
func NeedsUserXattr() bool {
	if os.Geteuid() != 0 {
		return true
	}
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") != "0 0 4294967295"
}

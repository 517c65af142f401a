package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Unpack unpacks a tar into a directory. Owners that the user namespace does not map are
// left out: then the file is ours. So are devices where we may not make any: an empty file
// is there in place of each, for the real one to be mounted on.
func Unpack(dir string, r io.Reader, o Options) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // Nothing was written to it.
	return UnpackAt(fd, r, o)
}

// UnpackAt is Unpack into an open directory.
func UnpackAt(dir int, r io.Reader, o Options) error {
	t := &tree{fd: dir, last: -1}
	defer t.forget()
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = defaultMaxEntries
	}
	x := &extraction{Options: o, tree: t, buffer: make([]byte, chunk)}
	if err := x.run(tar.NewReader(r)); err != nil {
		return err
	}
	return x.finishDirs()
}

// extraction is one call of Unpack.
type extraction struct {
	Options
	*tree
	entries, bytes int64
	buffer         []byte
	dirs           []dirTime
}

// dirTime is when a directory was changed, to be set when nothing changes in it any more.
type dirTime struct {
	name string
	time time.Time
}

// run unpacks one entry after the other.
func (x *extraction) run(tr *tar.Reader) error {
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: read the tar: %w", ErrFormat, err)
		}
		if err := x.count(header); err != nil {
			return err
		}
		if err := x.entry(header, tr); err != nil {
			return fmt.Errorf("unpack %q: %w", header.Name, err)
		}
	}
}

// entry unpacks one entry.
func (x *extraction) entry(header *tar.Header, r io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil // a comment on the archive, such as git's
	}
	name, err := clean(header.Name)
	if err != nil {
		return err
	}
	if name == "." {
		return x.top(header)
	}
	dir, base, err := x.parent(name)
	if err != nil {
		return err
	}
	if !x.Plain && strings.HasPrefix(base, whiteoutPrefix) {
		return x.whiteout(dir, base)
	}
	x.tame(header)
	if header.Typeflag == tar.TypeDir {
		return x.directory(dir, base, name, header)
	}
	if err := x.makeRoom(dir, base, name); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeRegA, tar.TypeGNUSparse: //nolint:staticcheck // Old tars have it.
		return x.file(dir, base, header, r)
	case tar.TypeSymlink:
		err = unix.Symlinkat(header.Linkname, dir, base)
	case tar.TypeLink:
		return x.link(dir, base, header)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if x.Tame && header.Typeflag != tar.TypeFifo {
			return fmt.Errorf("%w: a device is copied with its owner alone", ErrRefused)
		}
		err = makeNode(dir, base, header)
	default:
		return fmt.Errorf("%w: an entry of the unknown type %q", ErrFormat, header.Typeflag)
	}
	if err != nil {
		return err
	}
	return x.describe(dir, base, header)
}

// makeRoom removes what has the name of an entry that comes: the later one counts.
func (x *extraction) makeRoom(dir int, base, name string) error {
	var stat unix.Stat_t
	err := unix.Fstatat(dir, base, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if x.Merge && stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("%w: there is a directory of that name", ErrRefused)
	}
	// The directory that was used last may be in what goes, or be named through it.
	defer x.forgetBelow(name)
	return remove(dir, base)
}

// forgetBelow forgets the last directory if it is not that of name itself.
func (x *extraction) forgetBelow(name string) {
	if path.Clean(path.Dir(name)) != x.name {
		x.forget()
	}
}

// top gives the directory itself the mode, owner and time of the tar's "./".
func (x *extraction) top(header *tar.Header) error {
	if header.Typeflag != tar.TypeDir {
		return fmt.Errorf("%w: its root is not a directory", ErrHostile)
	}
	if x.Merge {
		return nil
	}
	return x.adorn(x.fd, ".", ".", header)
}

// directory makes a directory, or gives the one that is there another mode and owner.
func (x *extraction) directory(dir int, base, name string, header *tar.Header) error {
	err := unix.Mkdirat(dir, base, 0o700)
	if errors.Is(err, unix.EEXIST) {
		if err = x.sameDirectory(dir, base, name); x.Merge {
			return err
		}
	}
	if err != nil {
		return err
	}
	return x.adorn(dir, base, name, header)
}

// sameDirectory makes sure that what is there is a directory.
func (x *extraction) sameDirectory(dir int, base, name string) error {
	var stat unix.Stat_t
	if err := unix.Fstatat(dir, base, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch {
	case stat.Mode&unix.S_IFMT == unix.S_IFDIR:
		return nil
	case whiteoutStat(&stat) && !x.Plain:
		return replaceWhiteout(dir, base)
	case x.Merge:
		return fmt.Errorf("%w: there is a file of that name, and no directory", ErrRefused)
	}
	if err := x.makeRoom(dir, base, name); err != nil {
		return err
	}
	return unix.Mkdirat(dir, base, 0o700)
}

// adorn gives a directory its owner, mode and attributes, and remembers its time.
func (x *extraction) adorn(dir int, base, name string, header *tar.Header) error {
	fd, err := openDir(dir, base)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // Nothing was written to it.
	x.dirs = append(x.dirs, dirTime{name, header.ModTime})
	return x.own(fd, header)
}

// own gives an open file its owner, mode and attributes. The owner comes first: changing
// it takes set-user-ID bits and capabilities away.
func (x *extraction) own(fd int, header *tar.Header) error {
	uid, gid := x.owner(header)
	if err := unix.Fchown(fd, uid, gid); err != nil && !unmapped(err) {
		return &os.PathError{Op: "chown", Path: header.Name, Err: err}
	}
	if err := unix.Fchmod(fd, uint32(header.Mode)&0o7777); err != nil {
		return &os.PathError{Op: "chmod", Path: header.Name, Err: err}
	}
	return setXattrs(fd, header.PAXRecords)
}

// owner is who owns an entry.
func (x *extraction) owner(header *tar.Header) (uid, gid int) {
	if x.Owner != nil {
		return x.Shift.here(x.Owner.UID), x.Shift.here(x.Owner.GID)
	}
	return x.Shift.here(header.Uid), x.Shift.here(header.Gid)
}

// unmapped reports whether an owner cannot be given: EINVAL is what a user namespace says
// of a number that it does not map, EPERM what an ordinary user is told.
func unmapped(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM)
}

// file writes a regular file.
func (x *extraction) file(dir int, base string, header *tar.Header, r io.Reader) error {
	fd, err := unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|
		unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(x.fill(fd, header.Size, r), x.own(fd, header))
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return err
	}
	return setTime(dir, base, header.ModTime)
}

// link gives a file of this layer another name. The kernel does not follow a link there.
func (x *extraction) link(dir int, base string, header *tar.Header) error {
	target, err := clean(header.Linkname)
	if err != nil {
		return err
	}
	above, err := x.resolve(path.Dir(target), unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		defer unix.Close(above) //nolint:errcheck // Nothing was written to it.
		err = unix.Linkat(above, path.Base(target), dir, base, 0)
	}
	if err != nil {
		return fmt.Errorf("link it to %q in the same layer: %w", header.Linkname, err)
	}
	return nil
}

// describe gives a link or special file its owner, mode and time.
func (x *extraction) describe(dir int, base string, header *tar.Header) error {
	uid, gid := x.owner(header)
	err := unix.Fchownat(dir, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && !unmapped(err) {
		return &os.PathError{Op: "chown", Path: header.Name, Err: err}
	}
	if header.Typeflag != tar.TypeSymlink {
		if err := setMode(dir, base, uint32(header.Mode)&0o7777); err != nil {
			return &os.PathError{Op: "chmod", Path: header.Name, Err: err}
		}
	}
	return setTime(dir, base, header.ModTime)
}

// finishDirs sets the times of the directories, when nothing changes in them any more.
func (x *extraction) finishDirs() error {
	for _, d := range slices.Backward(x.dirs) {
		fd, err := x.resolve(d.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) ||
			errors.Is(err, unix.ELOOP) {
			continue // a later entry has taken its name
		}
		if err != nil {
			return err
		}
		err = errors.Join(setTime(fd, ".", d.time), unix.Close(fd))
		if err != nil {
			return fmt.Errorf("set the time of %q: %w", d.name, err)
		}
	}
	return nil
}

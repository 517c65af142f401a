package layer

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// WriteOptions say how a directory becomes a tar.
type WriteOptions struct {
	// Epoch is what no file may be younger than, as SOURCE_DATE_EPOCH wants it: a later
	// time becomes this one. The zero time leaves all times as they are.
	Epoch time.Time
	// Root makes everything belong to root, whoever owns the files here.
	Root bool
	// Shift is whom the owners in the tar stand for.
	Shift Shift
	// Skip leaves out a name, and what is below it. The name has no slash in front.
	Skip func(name string) bool
	// Plain takes overlay's whiteouts for the devices that they are: the tree is not one
	// of changes.
	Plain bool
}

// maxDepth is how deep directories may be nested. Each takes a descriptor while its
// content is written.
const maxDepth = 500

// Write writes a directory as a tar: overlay's whiteouts and opaque directories as a
// layer's, names in order, times in whole seconds, owners as numbers. The same tree always
// gives the same bytes. No link is followed, so the tree may be a running container's.
func Write(w io.Writer, dir string, o WriteOptions) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // It was read.
	return Pack(w, fd, ".", ".", o)
}

// Pack is Write of what has a name in an open directory, be it a directory or not. In the
// tar it has the name as.
func Pack(w io.Writer, dir int, base, as string, o WriteOptions) error {
	buffered := bufio.NewWriterSize(w, chunk)
	p := &packing{
		WriteOptions: o, tar: tar.NewWriter(buffered), seen: map[inode]string{},
		buffer: make([]byte, chunk),
	}
	if err := p.entry(dir, base, as, 0); err != nil {
		return err
	}
	return errors.Join(p.tar.Close(), buffered.Flush())
}

// packing is one call of Write.
type packing struct {
	WriteOptions
	tar    *tar.Writer
	seen   map[inode]string // files with several names, by the first one
	buffer []byte
}

// inode is which file it is, whatever its name.
type inode struct{ dev, ino uint64 }

// directory writes an open directory and what is in it.
func (p *packing) directory(fd int, name string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("pack %q: %w: deeper than %d directories", name, ErrTooLarge, maxDepth)
	}
	overlay, err := p.openFile(fd, name)
	if err != nil {
		return fmt.Errorf("pack %q: %w", name, err)
	}
	if overlay["opaque"] == "y" && !p.Plain {
		if err := p.mark(path.Join(name, whiteoutOpaque)); err != nil {
			return err
		}
	}
	names, err := namesIn(fd, ".")
	if err != nil {
		return fmt.Errorf("pack %q: %w", name, err)
	}
	slices.Sort(names)
	for _, base := range names {
		below := path.Join(name, base)
		if p.Skip != nil && p.Skip(below) {
			continue
		}
		if err := p.entry(fd, base, below, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry writes what has a name in an open directory.
func (p *packing) entry(dir int, base, name string, depth int) error {
	var stat unix.Stat_t
	err := unix.Fstatat(dir, base, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil // it has gone meanwhile
	}
	if err != nil {
		return fmt.Errorf("pack %q: %w", name, err)
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		fd, err := openDir(dir, base)
		if err != nil {
			return fmt.Errorf("pack %q: %w", name, err)
		}
		return errors.Join(p.directory(fd, name, depth+1), unix.Close(fd))
	case unix.S_IFSOCK:
		return nil // a tar has none: a socket lives with its server
	case unix.S_IFREG:
		err = p.regular(dir, base, name)
	case unix.S_IFCHR:
		if whiteoutStat(&stat) && !p.Plain {
			return p.mark(path.Join(path.Dir(name), whiteoutPrefix+base))
		}
		err = p.special(dir, base, name, &stat)
	default:
		err = p.special(dir, base, name, &stat)
	}
	if err != nil {
		return fmt.Errorf("pack %q: %w", name, err)
	}
	return nil
}

// mark writes a whiteout, an empty file.
func (p *packing) mark(name string) error {
	return p.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, ModTime: p.age(0)})
}

// regular writes a regular file. It is opened first and looked at then: what has its name
// by now may be another.
func (p *packing) regular(dir int, base, name string) error {
	fd, err := unix.Openat(dir, base,
		unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // It was read.
	_, err = p.openFile(fd, name)
	return err
}

// openFile writes an open file or directory, and returns what overlayfs noted on it.
func (p *packing) openFile(fd int, name string) (overlay map[string]string, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	header := p.header(name, &stat)
	header.PAXRecords, overlay, err = getXattrs(fd)
	if err != nil {
		return nil, err
	}
	for _, note := range []string{"redirect", "metacopy"} {
		if _, ok := overlay[note]; ok && !p.Plain {
			return nil, fmt.Errorf("%w: overlay.%s", ErrRenamed, note)
		}
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		header.Typeflag, header.Name, header.Size = tar.TypeDir, name+"/", 0
		return overlay, p.tar.WriteHeader(header)
	case unix.S_IFREG:
		if p.linked(header, &stat) {
			return overlay, p.tar.WriteHeader(header)
		}
		return overlay, p.content(fd, header)
	}
	return nil, errors.New("it changed while it was looked at")
}

// content writes a regular file with what is in it.
func (p *packing) content(fd int, header *tar.Header) error {
	if err := p.tar.WriteHeader(header); err != nil {
		return err
	}
	for at := int64(0); at < header.Size; {
		n, err := unix.Pread(fd, p.buffer[:min(header.Size-at, int64(len(p.buffer)))], at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("it shrank from %d to %d bytes while it was read", header.Size, at)
		}
		if _, err := p.tar.Write(p.buffer[:n]); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// linked makes a header one of a hard link, if the file was written under another name.
func (p *packing) linked(header *tar.Header, stat *unix.Stat_t) bool {
	if stat.Nlink < 2 {
		return false
	}
	id := inode{stat.Dev, stat.Ino}
	first, ok := p.seen[id]
	if !ok {
		p.seen[id] = header.Name
		return false
	}
	header.Typeflag, header.Linkname, header.Size = tar.TypeLink, first, 0
	return true
}

// special writes a symbolic link, a device or a fifo.
func (p *packing) special(dir int, base, name string, stat *unix.Stat_t) (err error) {
	header := p.header(name, stat)
	header.Size = 0
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		header.Typeflag, header.Mode = tar.TypeSymlink, 0o777
		if header.Linkname, err = readLink(dir, base); err != nil {
			return err
		}
	case unix.S_IFCHR:
		header.Typeflag = tar.TypeChar
	case unix.S_IFBLK:
		header.Typeflag = tar.TypeBlock
	case unix.S_IFIFO:
		header.Typeflag = tar.TypeFifo
	}
	if header.Typeflag == tar.TypeChar || header.Typeflag == tar.TypeBlock {
		header.Devmajor = int64(unix.Major(stat.Rdev))
		header.Devminor = int64(unix.Minor(stat.Rdev))
	}
	p.linked(header, stat)
	return p.tar.WriteHeader(header)
}

// header is what all entries have.
func (p *packing) header(name string, stat *unix.Stat_t) *tar.Header {
	h := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     name,
		Mode:     int64(stat.Mode & 0o7777),
		Uid:      p.Shift.inTar(int(stat.Uid)),
		Gid:      p.Shift.inTar(int(stat.Gid)),
		Size:     stat.Size,
		ModTime:  p.age(stat.Mtim.Sec),
	}
	if p.Root {
		h.Uid, h.Gid = 0, 0
	}
	return h
}

// age is a file's time in whole seconds, and not after the epoch.
func (p *packing) age(seconds int64) time.Time {
	t := time.Unix(seconds, 0)
	if !p.Epoch.IsZero() && t.After(p.Epoch) {
		return p.Epoch
	}
	return t
}

// readLink reads a symbolic link.
func readLink(dir int, base string) (string, error) {
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, base, buffer)
	if err != nil {
		return "", err
	}
	return string(buffer[:n]), nil
}

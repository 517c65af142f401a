package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// makeNode makes a device or a fifo.
func makeNode(dir int, base string, header *tar.Header) error {
	mode := map[byte]uint32{
		tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO,
	}[header.Typeflag]
	number := 0
	if header.Typeflag != tar.TypeFifo {
		number = int(unix.Mkdev(uint32(header.Devmajor), uint32(header.Devminor)))
	}
	if mode == unix.S_IFCHR && number == 0 {
		return fmt.Errorf("%w: a device 0:0, which deletes for overlayfs", ErrHostile)
	}
	err := unix.Mknodat(dir, base, mode|0o600, number)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	fd, err := unix.Openat(dir, base, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC,
		0o600)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// setMode changes the mode of a special file: through an open descriptor, for chmod(2)
// would follow what has taken its name, and opening a device can have effects.
func setMode(dir int, base string, mode uint32) error {
	fd, err := unix.Openat(dir, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // Nothing was written to it.
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
}

// setTime sets when a file was changed, and follows no link.
func setTime(dir int, base string, t time.Time) error {
	times := []unix.Timespec{unix.NsecToTimespec(0), unix.NsecToTimespec(0)}
	times[0].Sec, times[1].Sec = t.Unix(), t.Unix()
	times[0].Nsec, times[1].Nsec = int64(t.Nanosecond()), int64(t.Nanosecond())
	return unix.UtimesNanoAt(dir, base, times, unix.AT_SYMLINK_NOFOLLOW)
}

// block is the unit in which zeroes become holes.
const block = 4 << 10

// zeroes is a block to compare with.
var zeroes [block]byte

// fill writes a file's content. Where there are blocks of zeroes the file gets holes, as
// it may have had before it was put into the tar.
func (x *extraction) fill(fd int, size int64, r io.Reader) error {
	end := int64(0) // of the data; a hole after it is no write
	for at := int64(0); at < size; {
		n, err := io.ReadFull(r, x.buffer[:min(size-at, int64(len(x.buffer)))])
		written, writeErr := writeSparse(fd, x.buffer[:n], at)
		if writeErr != nil {
			return writeErr
		}
		at, end = at+int64(n), max(end, written)
		if err != nil {
			return fmt.Errorf("%w: after %d of %d bytes: %w", ErrFormat, at, size, err)
		}
	}
	if end < size {
		return unix.Ftruncate(fd, size)
	}
	return nil
}

// writeSparse writes p at an offset, without the whole blocks of zeroes in it, and returns
// where the last data ends.
func writeSparse(fd int, p []byte, at int64) (end int64, err error) {
	for len(p) > 0 {
		hole := 0
		for len(p)-hole >= block && bytes.Equal(p[hole:hole+block], zeroes[:]) {
			hole += block
		}
		p, at = p[hole:], at+int64(hole)
		data := 0
		for len(p) > data && !bytes.Equal(p[data:min(data+block, len(p))], zeroes[:]) {
			data += block
		}
		data = min(data, len(p))
		if err := writeAll(fd, p[:data], at); err != nil {
			return end, err
		}
		if data > 0 {
			end = at + int64(data)
		}
		p, at = p[data:], at+int64(data)
	}
	return end, nil
}

// writeAll writes p at an offset.
func writeAll(fd int, p []byte, at int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, at)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		p, at = p[max(n, 0):], at+int64(max(n, 0))
	}
	return nil
}

package layer

import (
	"archive/tar"
	"fmt"

	"golang.org/x/sys/unix"
)

// The limits that hold where Options say nothing.
const (
	defaultMaxBytes   = 64 << 30
	defaultMaxEntries = 4 << 20
)

// Options say how a tar is unpacked. The zero value is right for a layer.
type Options struct {
	// Plain takes names that begin with .wh. for files: the tar is not a layer, but
	// something to put into a root, such as an archive for ADD or cp.
	Plain bool
	// Owner owns what is unpacked instead of those whom the tar names.
	Owner *Owner
	// Shift is whom the tar's owners stand for.
	Shift Shift
	// Merge refuses to put a directory in the place of something else, or something else
	// in the place of a directory. A directory that is there keeps its owner and mode.
	Merge bool
	// Tame leaves out what gives rights to whoever finds it: set-user-ID and set-group-ID
	// bits and capabilities. Devices are refused.
	Tame bool
	// MaxBytes bounds the sum of all files' sizes, MaxEntries their number. Zero is
	// 64 GiB and four million.
	MaxBytes, MaxEntries int64
}

// Owner is a user and a group by their numbers.
type Owner struct{ UID, GID int }

// count holds the limits. A size is counted before anything is written: a few bytes of tar
// can stand for a file of exabytes with holes.
func (x *extraction) count(header *tar.Header) error {
	if x.entries++; x.entries > x.MaxEntries {
		return fmt.Errorf("%w: it has more than %d entries", ErrTooLarge, x.MaxEntries)
	}
	if header.Size > x.MaxBytes-x.bytes {
		return fmt.Errorf("%w: its files have more than %d bytes", ErrTooLarge, x.MaxBytes)
	}
	x.bytes += max(header.Size, 0)
	return nil
}

// tame takes from an entry what gives rights.
func (x *extraction) tame(header *tar.Header) {
	if x.Tame {
		header.Mode &^= unix.S_ISUID | unix.S_ISGID
		delete(header.PAXRecords, xattrRecord+"security.capability")
	}
}

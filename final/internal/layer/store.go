package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Store is a directory of unpacked layers, each named by the digest of its tar:
//
//	DIR/sha256/HEX/         a layer, whole and not to be changed
//	DIR/sha256/.new-HEX/    one that is being unpacked, locked by who does so
//	DIR/unsettled/HEX       a note that the layer may not be on disk yet
type Store struct {
	dir string
}

// unfinished is how the name of a layer begins that is not whole.
const unfinished = ".new-"

// OpenStore returns the store in a directory, which is made when it is first needed.
func OpenStore(dir string) *Store { return &Store{dir: dir} }

// Path is where a layer is or would be.
func (s *Store) Path(diffID digest.Digest) string {
	return filepath.Join(s.dir, diffID.Algorithm().String(), diffID.Encoded())
}

// Has reports whether a layer is unpacked and can be relied on.
func (s *Store) Has(diffID digest.Digest) bool {
	_, err := os.Stat(s.Path(diffID))
	return err == nil && !s.doubtful(diffID)
}

// Unpack returns the directory of a layer. Where it is not there yet, the tar that open
// opens is unpacked, by one process at a time. The directory appears when it is whole and
// of the right digest; until then it can be interrupted at any point.
func (s *Store) Unpack(ctx context.Context, diffID digest.Digest,
	open func() (io.ReadCloser, error),
) (string, error) {
	if err := diffID.Validate(); err != nil {
		return "", fmt.Errorf("layer %q: %w", diffID, err)
	}
	path := s.Path(diffID)
	for !s.Has(diffID) {
		fresh, err := s.begin(diffID)
		if err != nil {
			return "", fmt.Errorf("layer %s: %w", diffID, err)
		}
		if fresh == nil {
			continue // somebody else has finished it meanwhile
		}
		if err := s.fill(ctx, fresh, diffID, open); err != nil {
			return "", fmt.Errorf("layer %s: %w", diffID, err)
		}
	}
	return path, nil
}

// begin makes and locks the directory for a layer. It is nil if what was locked has got
// its final name, or was removed, in the meantime.
func (s *Store) begin(diffID digest.Digest) (*os.File, error) {
	path := s.Path(diffID)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	path = filepath.Join(filepath.Dir(path), unfinished+diffID.Encoded())
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // It is what is promised.
	}
	if err != nil {
		return nil, err
	}
	if err := flock(dir); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	mine, err := dir.Stat()
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	named, err := os.Lstat(path)
	if err != nil || !os.SameFile(mine, named) {
		return nil, dir.Close()
	}
	if s.Has(diffID) {
		return nil, errors.Join(os.RemoveAll(path), dir.Close())
	}
	return dir, nil
}

// flock waits for a lock that ends with the file, or with us.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// fill unpacks into a locked directory and gives it its name.
func (s *Store) fill(ctx context.Context, dir *os.File, diffID digest.Digest,
	open func() (io.ReadCloser, error),
) error {
	defer dir.Close()
	// What an interrupted process left is in the way.
	if err := empty(dir.Name()); err != nil {
		return err
	}
	// A tar may say nothing of its root; then it is one like any other.
	if err := os.Chmod(dir.Name(), 0o755); err != nil {
		return err
	}
	again, err := s.clear(diffID)
	if err == nil {
		err = unpackVerified(ctx, dir.Name(), diffID, open)
	}
	if err == nil && again {
		err = unix.Syncfs(int(dir.Fd()))
	}
	if err == nil {
		err = os.Rename(dir.Name(), s.Path(diffID))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir.Name()))
	}
	if !again {
		return nil
	}
	return errors.Join(syncDir(filepath.Dir(dir.Name())), os.Remove(s.note(diffID)))
}

// clear makes ready for a layer. One from another boot that was never settled goes, if it
// still is that when we have the lock, and is reported.
func (s *Store) clear(diffID digest.Digest) (again bool, err error) {
	if again = s.doubtful(diffID); again {
		if err := os.RemoveAll(s.Path(diffID)); err != nil {
			return again, err
		}
	}
	return again, s.unsettle(diffID)
}

// unpackVerified unpacks a tar and compares its digest, that of all its bytes.
func unpackVerified(ctx context.Context, dir string, want digest.Digest,
	open func() (io.ReadCloser, error),
) error {
	from, err := open()
	if err != nil {
		return err
	}
	defer from.Close()
	sum := sha256.New()
	tar := readAhead(ctx, from, sum)
	defer tar.Close()
	unpacked := Unpack(dir, tar, Options{})
	// A damaged tar is one with a wrong digest first of all.
	_, err = io.Copy(io.Discard, tar)
	got := digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(sum.Sum(nil)))
	switch {
	case errors.Is(unpacked, ErrTooLarge), err != nil:
		return errors.Join(unpacked, err)
	case got != want:
		return &DigestError{Want: want, Got: got}
	}
	return unpacked
}

// empty removes what is in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// List returns the digests of the layers that are unpacked.
func (s *Store) List() ([]digest.Digest, error) {
	var all []digest.Digest
	entries, err := os.ReadDir(filepath.Join(s.dir, "sha256"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if d := digest.NewDigestFromEncoded(digest.SHA256, e.Name()); d.Validate() == nil {
			all = append(all, d)
		}
	}
	return all, nil
}

// Unneeded returns the names of the directories that Sweep would delete: layers that are
// not needed, and what was interrupted.
func (s *Store) Unneeded(needed map[digest.Digest]bool) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, "sha256"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if !needed[digest.NewDigestFromEncoded(digest.SHA256, e.Name())] {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Sweep deletes the layers that are not needed, and what was interrupted. Nobody may be
// unpacking meanwhile. A layer loses its name first, so none is ever there in parts.
func (s *Store) Sweep(needed map[digest.Digest]bool) (gone []digest.Digest, err error) {
	names, err := s.Unneeded(needed)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, "sha256")
	for _, name := range names {
		path := filepath.Join(dir, name)
		d := digest.NewDigestFromEncoded(digest.SHA256, name)
		if !strings.HasPrefix(name, unfinished) {
			unnamed := filepath.Join(dir, unfinished+name)
			if err := errors.Join(os.RemoveAll(unnamed), os.Rename(path, unnamed)); err != nil {
				return gone, err
			}
			path, gone = unnamed, append(gone, d)
		}
		if err := os.RemoveAll(path); err != nil {
			return gone, err
		}
		if err := os.RemoveAll(s.note(d)); err != nil {
			return gone, err
		}
	}
	return gone, nil
}

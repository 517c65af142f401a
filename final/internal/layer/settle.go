package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// A file that was written is not yet on the disk. To wait for ten thousand of them can
// take longer than all the rest, and a layer can always be unpacked once more. So nobody
// waits: a note says in which boot a layer was unpacked, until it is known to be on disk.
//
//	DIR/unsettled/HEX:   0c1d0a62-5a57-4b2c-a2a5-1c4ee3fd8a1b
//
// A layer with a note of another boot was lost in part if the power failed, and is
// unpacked again; the second time it is waited for.
const unsettledDir = "unsettled"

// bootFile tells one boot of the machine from another.
const bootFile = "/proc/sys/kernel/random/boot_id"

// boot is the present boot.
func boot() (string, error) {
	text, err := os.ReadFile(bootFile)
	return strings.TrimSpace(string(text)), err
}

// note is where a layer's note is.
func (s *Store) note(diffID digest.Digest) string {
	return filepath.Join(s.dir, unsettledDir, diffID.Encoded())
}

// doubtful reports whether a layer was unpacked in another boot and never settled.
func (s *Store) doubtful(diffID digest.Digest) bool {
	text, err := os.ReadFile(s.note(diffID))
	if err != nil {
		return false
	}
	now, err := boot()
	return err != nil || string(text) != now
}

// unsettle writes a layer's note, which is on disk before the layer's name can be.
func (s *Store) unsettle(diffID digest.Digest) error {
	now, err := boot()
	if err != nil {
		return err
	}
	path := s.note(diffID)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(now)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Settle waits until all layers that were unpacked in this boot are on disk, and takes
// their notes away. Whoever has time may call it.
func (s *Store) Settle() error {
	dir := filepath.Join(s.dir, unsettledDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	whole := map[string]fs.FileInfo{} // the notes, before the disk is waited for
	for _, e := range entries {
		d := digest.NewDigestFromEncoded(digest.SHA256, e.Name())
		if note, err := os.Lstat(s.note(d)); err == nil && s.Has(d) {
			whole[s.note(d)] = note
		}
	}
	if err := syncfs(s.dir); err != nil {
		return fmt.Errorf("settle the layers: %w", err)
	}
	for path, note := range whole {
		now, err := os.Lstat(path)
		if err != nil || !os.SameFile(note, now) {
			continue // the layer is gone, and may have been unpacked once more
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("settle the layers: %w", err)
		}
	}
	return nil
}

// syncfs waits for the whole file system that a directory is on.
func syncfs(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return &fs.PathError{Op: "syncfs", Path: dir, Err: err}
	}
	return nil
}

// syncDir waits for the names in a directory.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxDocument is how large a manifest or configuration may be. Registries refuse more
// than 4 MiB; a hostile one must not fill the memory.
const maxDocument = 8 << 20

// blobPath is the file of a blob.
func (s *Store) blobPath(d digest.Digest) string {
	return filepath.Join(s.dir, blobsDir, d.Algorithm().String(), d.Encoded())
}

// Has reports whether a blob is here.
func (s *Store) Has(d digest.Digest) bool {
	_, err := s.size(d)
	return err == nil
}

// size is how many bytes a blob has.
func (s *Store) size(d digest.Digest) (int64, error) {
	if err := d.Validate(); err != nil {
		return 0, fmt.Errorf("blob %q: %w", d, err)
	}
	info, err := os.Stat(s.blobPath(d))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Blob opens a blob. Its content is not checked: unpacking and Check do that.
func (s *Store) Blob(d digest.Digest) (*os.File, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("blob %q: %w", d, err)
	}
	f, err := os.Open(s.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: blob %s is missing", ErrCorrupt, d)
	}
	return f, err
}

// document reads a blob that is JSON, and makes sure that it is the one its digest names.
func (s *Store) document(d digest.Digest, v any) ([]byte, error) {
	f, err := s.Blob(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxDocument {
		return nil, fmt.Errorf("%w: blob %s has more than %d bytes", ErrCorrupt, d, maxDocument)
	}
	if got := d.Algorithm().FromBytes(text); got != d {
		return nil, &DigestError{Want: d, Got: got}
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("%w: blob %s: %w", ErrCorrupt, d, err)
	}
	return text, nil
}

// Writer takes a blob in. Until Commit nothing is there; Close without it forgets all.
type Writer struct {
	store *Store
	file  *os.File
	sum   hash.Hash
	size  int64
}

// NewWriter begins a blob. The store must be held.
func (s *Store) NewWriter() (*Writer, error) {
	f, err := os.CreateTemp(s.path(ingestDir), "blob-")
	if err != nil {
		return nil, err
	}
	return &Writer{store: s, file: f, sum: sha256.New()}, nil
}

// Write appends to the blob.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.sum.Write(p[:n])
	w.size += int64(n)
	return n, err
}

// Digest is that of what was written so far.
func (w *Writer) Digest() digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(w.sum.Sum(nil)))
}

// Commit puts the blob into the store. With want it must be the promised one.
func (w *Writer) Commit(want digest.Digest) (digest.Digest, error) {
	got := w.Digest()
	if want != "" && got != want {
		return "", &DigestError{Want: want, Got: got}
	}
	if err := errors.Join(w.file.Chmod(0o644), w.file.Sync()); err != nil {
		return "", err
	}
	return got, rename(w.file.Name(), w.store.blobPath(got))
}

// Close ends the writing. What was not committed is removed.
func (w *Writer) Close() error {
	err := w.file.Close()
	if gone := os.Remove(w.file.Name()); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// Ingest takes in the blob that a descriptor promises, of that size and digest. One that
// is there already is not read again.
func (s *Store) Ingest(want v1.Descriptor, r io.Reader) error {
	if err := want.Digest.Validate(); err != nil {
		return fmt.Errorf("blob %q: %w", want.Digest, err)
	}
	if want.Digest.Algorithm() != digest.SHA256 {
		return fmt.Errorf("blob %s: only sha256 is kept here", want.Digest)
	}
	if size, err := s.size(want.Digest); err == nil && size == want.Size {
		return nil
	}
	w, err := s.NewWriter()
	if err != nil {
		return err
	}
	defer w.Close()
	// One byte more than promised is enough to know that it is too much.
	n, err := io.Copy(w, io.LimitReader(r, want.Size+1))
	if err != nil {
		return fmt.Errorf("blob %s: %w", want.Digest, err)
	}
	if n > want.Size {
		return fmt.Errorf("%w: blob %s has more than its %d bytes", ErrDigest, want.Digest,
			want.Size)
	}
	if _, err = w.Commit(want.Digest); err != nil {
		return fmt.Errorf("blob %s: %w", want.Digest, err)
	}
	return nil
}

// putBytes takes in a small blob and describes it.
func (s *Store) putBytes(mediaType string, text []byte) (v1.Descriptor, error) {
	d := v1.Descriptor{
		MediaType: mediaType,
		Digest:    digest.FromBytes(text),
		Size:      int64(len(text)),
	}
	return d, s.Ingest(d, bytes.NewReader(text))
}

// putJSON takes in a document.
func (s *Store) putJSON(mediaType string, v any) (v1.Descriptor, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return s.putBytes(mediaType, text)
}

package layer

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// opener opens bytes, and counts how often.
type opener struct {
	sync.Mutex
	content []byte
	times   int
}

// open returns the content from its beginning.
func (o *opener) open() (io.ReadCloser, error) {
	o.Lock()
	defer o.Unlock()
	o.times++
	return Decompress(io.NopCloser(bytes.NewReader(o.content)))
}

func TestLayersArePackedInSeveralWays(t *testing.T) {
	tar := archive(t, reg("a", "content")).Bytes()
	var zipped, zstandard bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	_, err := zw.Write(tar)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	sw, err := zstd.NewWriter(&zstandard)
	require.NoError(t, err)
	_, err = sw.Write(tar)
	require.NoError(t, err)
	require.NoError(t, sw.Close())
	for name, packed := range map[string][]byte{
		"tar": tar, "gzip": zipped.Bytes(), "zstd": zstandard.Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			s := OpenStore(t.TempDir())
			o := &opener{content: packed}
			dir, err := s.Unpack(t.Context(), digest.FromBytes(tar), o.open)
			require.NoError(t, err)
			assert.FileExists(t, filepath.Join(dir, "a"))
			assert.Equal(t, uint32(unix.S_IFDIR|0o755), stat(t, dir).Mode)
			// A cut one is refused, and nothing of it is left.
			s = OpenStore(t.TempDir())
			o.content = packed[:len(packed)/2]
			_, err = s.Unpack(t.Context(), digest.FromBytes(tar), o.open)
			require.Error(t, err)
			left, err := os.ReadDir(filepath.Join(s.dir, "sha256"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestWrongDigestLeavesNothing(t *testing.T) {
	s := OpenStore(t.TempDir())
	o := &opener{content: archive(t, reg("a", "content")).Bytes()}
	want := digest.FromString("something else")
	_, err := s.Unpack(t.Context(), want, o.open)
	require.ErrorIs(t, err, ErrDigest)
	assert.False(t, s.Has(want))
	all, err := s.List()
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestManyUnpackOnce(t *testing.T) {
	s := OpenStore(t.TempDir())
	o := &opener{content: archive(t, reg("a", "content")).Bytes()}
	d := digest.FromBytes(o.content)
	// What a killed process left is in the way of nobody.
	left := filepath.Join(s.dir, "sha256", unfinished+d.Encoded(), "half")
	require.NoError(t, os.MkdirAll(left, 0o700))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := s.Unpack(t.Context(), d, o.open)
			if assert.NoError(t, err) {
				assert.NoDirExists(t, filepath.Join(dir, "half"))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1, o.times)
	entries, err := os.ReadDir(filepath.Join(s.dir, "sha256"))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestInterruptedUnpackingLeavesNothing(t *testing.T) {
	s := OpenStore(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	content := archive(t, reg("a", string(make([]byte, 64*chunk)))).Bytes()
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(content[:chunk]), cancelled(cancel),
			bytes.NewReader(content[chunk:]))), nil
	}
	_, err := s.Unpack(ctx, digest.FromBytes(content), open)
	require.ErrorIs(t, err, context.Canceled)
	entries, err := os.ReadDir(filepath.Join(s.dir, "sha256"))
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// cancelled is a reader of nothing that cancels.
type cancelled func()

// Read cancels.
func (c cancelled) Read([]byte) (int, error) { c(); return 0, io.EOF }

func TestLayerOfAnotherBoot(t *testing.T) {
	s := OpenStore(t.TempDir())
	o := &opener{content: archive(t, reg("a", "content")).Bytes()}
	d := digest.FromBytes(o.content)
	unpack := func() string {
		dir, err := s.Unpack(t.Context(), d, o.open)
		require.NoError(t, err)
		return dir
	}
	// The power fails before the files are on disk: one is empty now.
	require.NoError(t, os.WriteFile(filepath.Join(unpack(), "a"), nil, 0o600))
	require.NoError(t, os.WriteFile(s.note(d), []byte("another boot"), 0o600))
	assert.False(t, s.Has(d))
	text, err := os.ReadFile(filepath.Join(unpack(), "a"))
	require.NoError(t, err)
	assert.Equal(t, "content", string(text))
	assert.NoFileExists(t, s.note(d), "the second time it was waited for")
	assert.Equal(t, 2, o.times)
}

func TestSettledLayersAreKept(t *testing.T) {
	s := OpenStore(t.TempDir())
	require.NoError(t, s.Settle())
	o := &opener{content: archive(t, reg("a", "content")).Bytes()}
	d := digest.FromBytes(o.content)
	_, err := s.Unpack(t.Context(), d, o.open)
	require.NoError(t, err)
	assert.FileExists(t, s.note(d))
	require.NoError(t, s.Settle())
	assert.NoFileExists(t, s.note(d))

	gone, err := s.Sweep(map[digest.Digest]bool{d: true})
	require.NoError(t, err)
	assert.Empty(t, gone)
	gone, err = s.Sweep(nil)
	require.NoError(t, err)
	assert.Equal(t, []digest.Digest{d}, gone)
	assert.NoDirExists(t, s.Path(d))
}

package image

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oneFile writes a tar with one file.
func oneFile(name, content string) func(io.Writer) error {
	return func(w io.Writer) error {
		tw := tar.NewWriter(w)
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}
		if err := tw.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.WriteString(tw, content); err != nil {
			return err
		}
		return tw.Close()
	}
}

// reference reads a name that is one.
func reference(t *testing.T, text string) Reference {
	t.Helper()
	r, err := ParseReference(text)
	require.NoError(t, err)
	return r
}

// open opens an empty store.
func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	require.NoError(t, err)
	return s
}

// put makes an image of layers with one file each.
func put(t *testing.T, s *Store, name string, contents ...string) *Image {
	t.Helper()
	release, err := s.Hold()
	require.NoError(t, err)
	defer release()
	var layers []Layer
	for _, content := range contents {
		l, err := s.AddLayer(oneFile("file-"+content, content))
		require.NoError(t, err)
		layers = append(layers, l)
	}
	img, err := s.Put(Config{}, layers, reference(t, name))
	require.NoError(t, err)
	return img
}

func TestImageIsFoundByAllItsNames(t *testing.T) {
	s := open(t)
	img := put(t, s, "web:1", "a", "b")
	other := put(t, s, "localhost:5000/team/db", "c")
	require.NoError(t, s.Tag(img, reference(t, "Example.org/web")))

	hex := img.ID().Encoded()
	for _, name := range []string{
		"web:1", "docker.io/library/web:1", "Example.org/web:latest", hex, hex[:12],
		"sha256:" + hex, "web@" + img.Descriptor.Digest.String(), img.Descriptor.Digest.String(),
	} {
		found, err := s.Resolve(name)
		require.NoError(t, err, name)
		assert.Equal(t, img.ID(), found.ID(), name)
		assert.Len(t, found.Names, 2, name)
	}
	found, err := s.Resolve("localhost:5000/team/db")
	require.NoError(t, err)
	assert.Equal(t, other.ID(), found.ID())

	for name, want := range map[string]error{
		"web": ErrNotFound, "webb:1": ErrNotFound, "": ErrReference, "Web": ErrReference,
		"web@sha256:12": ErrReference, "sha256:zz": ErrNotFound,
	} {
		_, err := s.Resolve(name)
		require.ErrorIs(t, err, want, name)
	}
}

func TestLowerIsTheTopLayerFirst(t *testing.T) {
	s := open(t)
	img := put(t, s, "web", "a", "b")
	dirs, err := img.Lower(t.Context())
	require.NoError(t, err)
	require.Len(t, dirs, 2)
	assert.FileExists(t, filepath.Join(dirs[0], "file-b"))
	assert.FileExists(t, filepath.Join(dirs[1], "file-a"))
	again, err := img.Lower(t.Context())
	require.NoError(t, err)
	assert.Equal(t, dirs, again)
}

func TestWhatNothingNamesIsCollected(t *testing.T) {
	s := open(t)
	web, db := put(t, s, "web", "shared", "a"), put(t, s, "db", "shared", "b")
	for _, img := range []*Image{web, db} {
		_, err := img.Lower(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(s.path(ingestDir+"/blob-1"), nil, 0o600))

	t.Run("not while somebody is at work", func(t *testing.T) {
		release, err := s.Hold()
		require.NoError(t, err)
		defer release()
		freed, err := s.Collect(nil)
		require.NoError(t, err)
		assert.True(t, freed.Later)
	})
	t.Run("not what has a name, or lost it but is used", func(t *testing.T) {
		require.NoError(t, s.Untag(reference(t, "web")))
		freed, err := s.Collect(func(*Image) (bool, error) { return false, nil })
		require.NoError(t, err)
		assert.Equal(t, Freed{}, freed)
		_, err = s.Get(web.Descriptor.Digest)
		require.NoError(t, err)
		assert.NoFileExists(t, s.path(ingestDir+"/blob-1"))
	})
	t.Run("what other images share stays", func(t *testing.T) {
		freed, err := s.Collect(func(img *Image) (bool, error) { return len(img.Names) == 0, nil })
		require.NoError(t, err)
		require.Len(t, freed.Images, 1)
		assert.Equal(t, web.ID(), freed.Images[0].ID())
		assert.Len(t, freed.Blobs, 3, "manifest, configuration and a layer")
		assert.Equal(t, []digest.Digest{web.Layers()[1].DiffID}, freed.Layers)
		assert.Positive(t, freed.Bytes)
		left, err := s.Layers().List()
		require.NoError(t, err)
		assert.Len(t, left, 2)
	})
}

func TestLastNameLeavesANamelessImage(t *testing.T) {
	s := open(t)
	img := put(t, s, "web", "a")
	require.NoError(t, s.Untag(reference(t, "web")))
	require.ErrorIs(t, s.Untag(reference(t, "web")), ErrNotFound)
	all, err := s.List()
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Empty(t, all[0].Names)
	require.NoError(t, s.Tag(all[0], reference(t, "again")))
	all, err = s.List()
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, []Reference{reference(t, "again")}, all[0].Names)
	assert.Equal(t, img.ID(), all[0].ID())
}

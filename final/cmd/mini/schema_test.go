package main_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/schema"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What mini writes is what the specification's own schemas describe: the layout, its
// index, and each manifest and configuration that this leads to.
func TestImagesAreAsTheSpecificationSays(t *testing.T) {
	m := newImages(t)
	m.importFile("a", "1", "web:1")
	r := m.do("save", "base", "web:1")
	require.Zero(t, r.status, r.err)
	files := readTar(t, r.out)
	valid(t, schema.ValidatorMediaTypeLayoutHeader, files[v1.ImageLayoutFile])
	valid(t, schema.ValidatorMediaTypeImageIndex, files[v1.ImageIndexFile])
	var index v1.Index
	require.NoError(t, json.Unmarshal(files[v1.ImageIndexFile], &index))
	require.Len(t, index.Manifests, 2)
	for _, d := range index.Manifests {
		text := blob(t, files, d)
		valid(t, schema.ValidatorMediaTypeManifest, text)
		var manifest v1.Manifest
		require.NoError(t, json.Unmarshal(text, &manifest))
		valid(t, schema.ValidatorMediaTypeImageConfig, blob(t, files, manifest.Config))
		for _, layer := range manifest.Layers {
			assert.Len(t, blob(t, files, layer), int(layer.Size))
		}
	}
}

// valid compares a text with a schema.
func valid(t *testing.T, of schema.Validator, text []byte) {
	t.Helper()
	require.NotEmpty(t, text, of)
	assert.NoError(t, of.Validate(bytes.NewReader(text)), "%s: %s", of, text)
}

// blob is what a descriptor describes.
func blob(t *testing.T, files map[string][]byte, d v1.Descriptor) []byte {
	t.Helper()
	name := filepath.Join("blobs", d.Digest.Algorithm().String(), d.Digest.Encoded())
	require.Contains(t, files, name)
	return files[name]
}

// readTar reads all files of an archive.
func readTar(t *testing.T, archive string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(strings.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		files[header.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}

package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// save writes an archive of images under all their names.
func save(t *testing.T, s *Store, images ...*Image) []byte {
	t.Helper()
	var all []Saved
	for _, img := range images {
		all = append(all, Saved{img, img.Names})
	}
	var b bytes.Buffer
	require.NoError(t, s.Save(&b, all))
	return b.Bytes()
}

// load reads an archive.
func load(s *Store, archive []byte) ([]Saved, error) {
	return s.Load(io.NopCloser(bytes.NewReader(archive)))
}

// edit copies an archive and has each file changed; a nil content leaves it out.
func edit(t *testing.T, archive []byte, change func(*tar.Header, []byte) []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, r := tar.NewWriter(&b), tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			require.NoError(t, w.Close())
			return b.Bytes()
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		if content = change(h, content); content == nil {
			continue
		}
		h.Size = int64(len(content))
		require.NoError(t, w.WriteHeader(h))
		_, err = w.Write(content)
		require.NoError(t, err)
	}
}

func TestSavedImagesAreLoaded(t *testing.T) {
	s := open(t)
	web, db := put(t, s, "web:1", "shared", "a"), put(t, s, "localhost:5000/db", "shared", "b")
	require.NoError(t, s.Tag(web, reference(t, "web:2")))
	web, err := s.Resolve("web:1")
	require.NoError(t, err)
	archive := save(t, s, web, db)
	assert.Equal(t, archive, save(t, s, web, db), "the same images, the same bytes")

	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err = z.Write(archive)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	dockers := edit(t, archive, func(h *tar.Header, content []byte) []byte {
		if h.Name == indexFile || h.Name == layoutFile {
			return nil
		}
		return content
	})
	for name, text := range map[string][]byte{
		"an image layout": archive, "gzip": zipped.Bytes(), "docker's own": dockers,
	} {
		t.Run(name, func(t *testing.T) {
			other := open(t)
			images, err := load(other, text)
			require.NoError(t, err)
			require.Len(t, images, 2)
			assert.Equal(t, web.ID(), images[0].ID())
			assert.Equal(t, web.Names, images[0].As)
			assert.Equal(t, db.Names, images[1].As)
			_, err = images[1].Lower(t.Context())
			require.NoError(t, err)
			_, err = load(other, text)
			require.NoError(t, err, "once more changes nothing")
			all, err := other.List()
			require.NoError(t, err)
			assert.Len(t, all, 2)
		})
	}
}

// damaged makes archives that are none.
func damaged(t *testing.T) map[string][]byte {
	t.Helper()
	s := open(t)
	img := put(t, s, "web", "a")
	archive := save(t, s, img)
	layerFile := archived(img.Layers()[0].Digest)
	noise := make([]byte, 4096)
	_, err := rand.Read(noise)
	require.NoError(t, err)
	return map[string][]byte{
		"nothing":           {},
		"noise":             noise,
		"cut in the middle": archive[:len(archive)/2],
		"another kind of tar": edit(t, archive, func(h *tar.Header, content []byte) []byte {
			h.Name = "x/" + h.Name
			return content
		}),
		"a layer is missing": edit(t, archive, func(h *tar.Header, content []byte) []byte {
			if h.Name == layerFile {
				return nil
			}
			return content
		}),
		"a layer is another": edit(t, archive, func(h *tar.Header, content []byte) []byte {
			if h.Name == layerFile {
				return noise
			}
			return content
		}),
		"an index of nonsense": edit(t, archive, func(h *tar.Header, content []byte) []byte {
			if h.Name == indexFile {
				return []byte(`{"manifests":[{"digest":"../../../etc/passwd"}]}`)
			}
			return content
		}),
		"docker's list of nonsense": edit(t, archive, func(h *tar.Header, content []byte) []byte {
			switch h.Name {
			case indexFile:
				return nil
			case dockerManifest:
				return []byte(`[{"Config":"../../etc/passwd"}]`)
			}
			return content
		}),
		"links in a circle": edit(t, archive, func(h *tar.Header, content []byte) []byte {
			switch h.Name {
			case indexFile:
				return nil
			case dockerManifest:
				return []byte(`[{"Config":"oci-layout"}]`)
			case layoutFile:
				h.Typeflag, h.Linkname = tar.TypeSymlink, layoutFile
				return []byte{}
			}
			return content
		}),
	}
}

func TestDamagedArchives(t *testing.T) {
	for name, text := range damaged(t) {
		t.Run(name, func(t *testing.T) {
			other := open(t)
			_, err := load(other, text)
			require.Error(t, err)
			all, err := other.List()
			require.NoError(t, err)
			assert.Empty(t, all, "nothing half-made")
		})
	}
}

func TestRootFileSystemIsImported(t *testing.T) {
	s := open(t)
	var b bytes.Buffer
	require.NoError(t, oneFile("etc/motd", "hello")(&b))
	img, err := s.Import(io.NopCloser(&b), Config{}, reference(t, "mine"))
	require.NoError(t, err)
	dirs, err := img.Lower(t.Context())
	require.NoError(t, err)
	text, err := os.ReadFile(dirs[0] + "/etc/motd")
	require.NoError(t, err)
	assert.Equal(t, "hello", string(text))
	for _, text := range []string{"", "no tar at all", "\x1f\x8b\x08 no gzip"} {
		_, err := s.Import(io.NopCloser(bytes.NewBufferString(text)), Config{})
		require.Error(t, err)
	}
}

func TestBuiltinImageIsMadeOnceOfEach(t *testing.T) {
	s := open(t)
	made := 0
	builtin := func(stamp, content string) *Image {
		img, err := s.Builtin(reference(t, "base"), stamp, Config{}, func(w io.Writer) error {
			made++
			return oneFile("x", content)(w)
		})
		require.NoError(t, err)
		return img
	}
	one := builtin("1", "a")
	assert.Equal(t, one.ID(), builtin("1", "a").ID())
	assert.Equal(t, 1, made)
	two := builtin("2", "b")
	assert.NotEqual(t, one.ID(), two.ID())
	found, err := s.Resolve("base")
	require.NoError(t, err)
	assert.Equal(t, two.ID(), found.ID())
}

func TestDamageIsNoticed(t *testing.T) {
	s := open(t)
	img := put(t, s, "web", "a")
	require.NoError(t, os.WriteFile(s.blobPath(img.Layers()[0].Digest), []byte("x"), 0o600))
	_, err := img.Lower(t.Context())
	require.Error(t, err)
	require.NoError(t, os.WriteFile(s.blobPath(img.ID()), []byte("{}"), 0o600))
	_, err = s.Resolve("web")
	require.ErrorIs(t, err, ErrDigest)
	require.NoError(t, os.Remove(s.blobPath(img.ID())))
	_, err = s.Resolve("web")
	require.ErrorIs(t, err, ErrCorrupt)
	require.NoError(t, s.Untag(reference(t, "web")), "it can be removed all the same")
}

func TestReferences(t *testing.T) {
	for text, want := range map[string]string{
		"debian":                     "docker.io/library/debian:latest",
		"debian:13":                  "docker.io/library/debian:13",
		"team/web":                   "docker.io/team/web:latest",
		"docker.io/debian":           "docker.io/library/debian:latest",
		"index.docker.io/team/x":     "docker.io/team/x:latest",
		"localhost/web":              "localhost/web:latest",
		"localhost:5000/web:1":       "localhost:5000/web:1",
		"example.org/a/b/c:v1.2_x-y": "example.org/a/b/c:v1.2_x-y",
		"[::1]:5000/web":             "[::1]:5000/web:latest",
		"a__b.c-d---e":               "docker.io/library/a__b.c-d---e:latest",
	} {
		r, err := ParseReference(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, r.String())
		again, err := ParseReference(r.Familiar())
		require.NoError(t, err)
		assert.Equal(t, r, again, r.Familiar())
	}
	for _, text := range []string{
		"", ":", "@", "/", "a//b", "A", "a:", "a:-x", "a b", "a..b", "a___b", "-a", "a-", "_a",
		"a@sha256:12", "a@md5:x", "localhost:x/a", "../a", "a/../b", "[x]/a", "a:b:c", "ä",
		"a\x00", "http://a/b", "-host.x/a",
	} {
		_, err := ParseReference(text)
		require.ErrorIs(t, err, ErrReference, "%q", text)
	}
}

func FuzzParseReference(f *testing.F) {
	for _, text := range []string{"debian", "localhost:5000/a/b:1", "a@sha256:12", "[::1]/a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReference(text)
		if err != nil {
			return
		}
		for _, form := range []string{r.String(), r.Familiar()} {
			again, err := ParseReference(form)
			require.NoError(t, err, form)
			require.Equal(t, r, again, form)
		}
	})
}

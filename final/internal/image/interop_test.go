package image

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/final/internal/layer"
	"lab/internal/need"
)

// run runs another tool, which has to succeed.
func run(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", args, out)
}

// manyKinds writes a layer with what can be in one.
func manyKinds(w io.Writer) error {
	tw := tar.NewWriter(w)
	when := time.Unix(1000000000, 0)
	const uid, gid = 12, 34
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o2750, Uid: uid, Gid: gid},
		{Name: "etc/passwd", Mode: 0o640, Uid: uid, Gid: gid, Size: 3},
		{Typeflag: tar.TypeLink, Name: "etc/again", Linkname: "etc/passwd"},
		{Name: "su", Mode: 0o4755, Uid: uid, Gid: gid, Size: 3},
		{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc/passwd", Mode: 0o777},
		{Typeflag: tar.TypeFifo, Name: "pipe", Mode: 0o622},
		{Name: "noted", Mode: 0o644, Size: 3, PAXRecords: map[string]string{
			"SCHILY.xattr.user.mood": "good",
		}},
	} {
		h.ModTime = when
		if err := tw.WriteHeader(&h); err != nil {
			return err
		}
		if h.Size > 0 {
			if _, err := tw.Write([]byte("abc")); err != nil {
				return err
			}
		}
	}
	return tw.Close()
}

// skopeo and umoci read what is written here, and the other way round; what umoci unpacks
// is what is unpacked here: modes, owners, times, links and attributes.
func TestSkopeoAndUmoci(t *testing.T) {
	need.RealRoot(t) // else both map owners, each in its own way
	need.Tool(t, "skopeo", "skopeo")
	need.Tool(t, "umoci", "umoci")
	s, temp := open(t), t.TempDir()
	release, err := s.Hold()
	require.NoError(t, err)
	l, err := s.AddLayer(manyKinds)
	require.NoError(t, err)
	img, err := s.Put(Config{}, []Layer{l}, reference(t, "web:1"))
	require.NoError(t, err)
	release()

	layout, bundle := filepath.Join(temp, "layout"), filepath.Join(temp, "bundle")
	run(t, "skopeo", "copy", "oci:"+s.dir+":"+img.Names[0].String(), "oci:"+layout+":web")
	run(t, "umoci", "unpack", "--image", layout+":web", bundle)
	ours, err := img.Lower(t.Context())
	require.NoError(t, err)
	var mine, theirs bytes.Buffer
	require.NoError(t, layer.Write(&mine, ours[0], layer.WriteOptions{}))
	require.NoError(t, layer.Write(&theirs, filepath.Join(bundle, "rootfs"), layer.WriteOptions{}))
	assert.Equal(t, theirs.Bytes(), mine.Bytes(), "the trees are the same")

	t.Run("skopeo writes into our layout", func(t *testing.T) {
		run(t, "skopeo", "copy", "oci:"+layout+":web", "oci:"+s.dir+":back:1")
		back, err := s.Resolve("back:1")
		require.NoError(t, err)
		assert.Equal(t, img.ID(), back.ID())
		_, err = back.Lower(t.Context())
		require.NoError(t, err)
	})
	t.Run("archives of both kinds, both ways", func(t *testing.T) {
		ourFile := filepath.Join(temp, "ours.tar")
		require.NoError(t, os.WriteFile(ourFile, save(t, s, img), 0o600))
		for kind, name := range map[string]string{
			"oci-archive": "localhost/o:1", "docker-archive": "d:1",
		} {
			from := kind + ":" + ourFile + ":" + img.Names[0].String()
			file := filepath.Join(temp, kind)
			run(t, "skopeo", "copy", from, kind+":"+file+":"+name)
			f, err := os.Open(file)
			require.NoError(t, err)
			loaded, err := open(t).Load(f)
			require.NoError(t, err, kind)
			require.Len(t, loaded, 1)
			assert.Equal(t, img.ID(), loaded[0].ID(), kind)
			assert.Equal(t, []Reference{reference(t, name)}, loaded[0].As, kind)
		}
	})
}

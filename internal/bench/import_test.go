//go:build linux

package bench

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// benchmarkMiniImport takes in an image and unpacks its layers: with mini, with skopeo and
// umoci, and with podman. All is in memory. On a disk it is the file system that is
// measured: ext4 gives no inode away for a minute after its file was deleted, looks at all
// of these for each new file, and what the last round left has just been deleted.
func benchmarkMiniImport(b *testing.B) {
	const most = 0.8
	times := rounds(b, 3)
	if times == 0 {
		return
	}
	e := newEngines(b)
	archive := filepath.Join(e.dir, "image.tar")
	writeImage(b, archive)
	clock, processor := map[string][]float64{}, map[string][]float64{}
	for range times {
		for name, once := range e.importers(archive) {
			dir := filepath.Join(e.dir, "import")
			require.NoError(b, os.Mkdir(dir, 0o700))
			took := once(dir)
			clock[name] = append(clock[name], float64(took.clock.Milliseconds()))
			processor[name] = append(processor[name], float64(took.processor.Milliseconds()))
			require.NoError(b, os.RemoveAll(dir))
		}
	}
	for _, peer := range []string{"skopeo+umoci", "podman"} {
		e.judge("import of 200 MB", clock["mini"], peer, clock[peer], most)
		e.judge("  the processor's time", processor["mini"], peer, processor[peer], most)
	}
}

// importers are the ways to take in an archive with all that is kept in a directory.
func (e *engines) importers(archive string) map[string]func(dir string) cost {
	mini := e.commands["mini"][0]
	podman := need.Tool(e.b, "podman", "podman")
	skopeo, umoci := need.Tool(e.b, "skopeo", "skopeo"), need.Tool(e.b, "umoci", "umoci")
	return map[string]func(string) cost{
		"mini": func(dir string) cost {
			ours := []string{mini, "--root", dir + "/m", "--state", dir + "/s"}
			return e.spend(append(ours, "load", "-i", archive)...).plus(
				e.spend(append(ours, "create", "--network", "none", imageName, "true")...))
		},
		"skopeo+umoci": func(dir string) cost {
			return e.spend(skopeo, "copy", "oci-archive:"+archive, "oci:"+dir+"/o:big").plus(
				e.spend(umoci, "unpack", "--image", dir+"/o:big", dir+"/b"))
		},
		"podman": func(dir string) cost {
			return e.spend(podman, "--root", dir+"/root", "--runroot", dir+"/run", "--tmpdir",
				dir+"/tmp", "--storage-driver", "vfs", "load", "-i", archive)
		},
	}
}

// plus adds what two commands took.
func (c cost) plus(other cost) cost {
	return cost{c.clock + other.clock, c.processor + other.processor}
}

// The image: 10,000 files, of which each tenth is large, 200 MB in all.
const (
	imageName   = "localhost/big:1"
	imageLayers = 5
	layerFiles  = 2000
	smallFile   = 4 << 10
	largeFile   = 160 << 10
)

// writeImage writes the image as the archive of an image layout, packed by gzip as those
// of registries are.
func writeImage(b *testing.B, path string) {
	b.Helper()
	f, err := os.Create(path)
	require.NoError(b, err)
	defer f.Close()
	archive := tar.NewWriter(f)
	config := v1.Image{
		Platform: v1.Platform{OS: "linux", Architecture: runtime.GOARCH},
		RootFS:   v1.RootFS{Type: "layers"},
	}
	manifest := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
	}
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // The same image each time.
	data := compressible(random)
	for n := range imageLayers {
		packed, diffID := packedLayer(b, n, random, data)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
		manifest.Layers = append(manifest.Layers,
			putBlob(b, archive, v1.MediaTypeImageLayerGzip, packed))
	}
	manifest.Config = putBlob(b, archive, v1.MediaTypeImageConfig, asJSON(b, config))
	entry := putBlob(b, archive, v1.MediaTypeImageManifest, asJSON(b, manifest))
	entry.Annotations = map[string]string{v1.AnnotationRefName: imageName}
	putFile(b, archive, v1.ImageIndexFile, asJSON(b, v1.Index{
		Versioned: manifest.Versioned, Manifests: []v1.Descriptor{entry},
	}))
	putFile(b, archive, v1.ImageLayoutFile, asJSON(b, v1.ImageLayout{
		Version: v1.ImageLayoutVersion,
	}))
	require.NoError(b, archive.Close())
}

// compressible is what the files are pieces of. It packs to about half, as programs do:
// words that come again, and noise between them.
func compressible(random *rand.Rand) []byte {
	const size = 8 << 20
	noise := func(n int) (some []byte) {
		for range n {
			some = append(some, byte(random.Uint32()))
		}
		return some
	}
	words := make([][]byte, 1000)
	for i := range words {
		words[i] = noise(4 + random.IntN(12))
	}
	var data []byte
	for len(data) < size {
		data = append(data, words[random.IntN(len(words))]...)
		data = append(data, noise(2)...)
	}
	return data
}

// packedLayer is the tar of a layer, packed, and the digest that it has when it is not.
func packedLayer(b *testing.B, n int, random *rand.Rand, data []byte) ([]byte, digest.Digest) {
	b.Helper()
	var packed bytes.Buffer
	pack, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(b, err)
	sum := sha256.New()
	layer := tar.NewWriter(io.MultiWriter(pack, sum))
	for i := range layerFiles {
		size := smallFile
		if i%10 == 0 {
			size = largeFile
		}
		at := random.IntN(len(data) - size)
		putFile(b, layer, fmt.Sprintf("usr/%d/%d/%d", n, i/20, i), data[at:at+size])
	}
	require.NoError(b, layer.Close())
	require.NoError(b, pack.Close())
	return packed.Bytes(), digest.NewDigest(digest.SHA256, sum)
}

// putBlob puts a blob into an archive and describes it.
func putBlob(b *testing.B, archive *tar.Writer, mediaType string, text []byte) v1.Descriptor {
	b.Helper()
	d := digest.FromBytes(text)
	putFile(b, archive, "blobs/sha256/"+d.Encoded(), text)
	return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(text))}
}

// putFile puts a file into a tar.
func putFile(b *testing.B, w *tar.Writer, name string, text []byte) {
	b.Helper()
	require.NoError(b, w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)),
	}))
	_, err := w.Write(text)
	require.NoError(b, err)
}

// asJSON is a document's text.
func asJSON(b *testing.B, v any) []byte {
	b.Helper()
	text, err := json.Marshal(v)
	require.NoError(b, err)
	return text
}

package layer

import (
	"archive/tar"
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/sandbox"
)

// TestMain runs the tests on a throw-away host, where we may have one. Fuzzing's workers
// talk to the test over descriptors that would not get there.
func TestMain(m *testing.M) {
	flag.Parse()
	if worker := flag.Lookup("test.fuzzworker"); worker.Value.String() == "true" {
		os.Exit(m.Run())
	}
	os.Exit(sandbox.Run(m))
}

// file is an entry of a tar.
type file struct {
	tar.Header
	content string
}

// reg is a regular file.
func reg(name, content string) file {
	return file{tar.Header{Name: name, Mode: 0o644}, content}
}

// dir is a directory.
func dir(name string) file {
	return file{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, ""}
}

// symlink is a symbolic link.
func symlink(name, target string) file {
	return file{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}, ""}
}

// hardlink is a hard link.
func hardlink(name, target string) file {
	return file{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}, ""}
}

// archive writes entries as a tar. Those that name no owner are ours.
func archive(t testing.TB, files ...file) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := f.Header
		if h.Size == 0 {
			h.Size = int64(len(f.content))
		}
		if h.Uid == 0 && h.Gid == 0 {
			h.Uid, h.Gid = os.Getuid(), os.Getgid()
		}
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(f.content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return &b
}

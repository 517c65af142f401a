package layer

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the bytes are, nothing outside of the directory changes, and what comes out
// can be packed.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, reg("../x", "x"), symlink("d", "/"), reg("d/y", "y")).Bytes())
	f.Add(archive(f, dir("a"), reg("a/.wh.b", ""), reg("a/.wh..wh..opq", "")).Bytes())
	f.Add(archive(f, hardlink("a", "../b"), reg(".wh...", "")).Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, tar []byte) {
		temp := t.TempDir()
		root := filepath.Join(temp, "layer")
		require.NoError(t, os.Mkdir(root, 0o755))
		err := Unpack(root, bytes.NewReader(tar), Options{MaxBytes: 1 << 20, MaxEntries: 100})
		entries, readErr := os.ReadDir(temp)
		require.NoError(t, readErr)
		require.Len(t, entries, 1)
		if err == nil && os.Getuid() == 0 { // else it may be closed to us
			require.NoError(t, Write(io.Discard, root, WriteOptions{}))
		}
	})
}

package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// list reads a tar's entries.
func list(t *testing.T, r io.Reader) map[string]*tar.Header {
	t.Helper()
	found := map[string]*tar.Header{}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		found[h.Name] = h
	}
}

// pack writes a directory as a tar.
func pack(t *testing.T, dir string, o WriteOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, dir, o))
	return b.Bytes()
}

func TestUnpackedIsPackedTheSame(t *testing.T) {
	noted := reg("etc/noted", "x")
	noted.PAXRecords = map[string]string{xattrRecord + "user.mood": "good"}
	setuid := reg("bin/su", "x")
	setuid.Mode = 0o4755
	from := []file{
		dir("./"), dir("bin/"), setuid, hardlink("bin/sudo", "bin/su"), dir("etc/"),
		reg("etc/.wh.motd", ""), noted, symlink("sh", "/bin/su"), dir("var/"),
		reg("var/.wh..wh..opq", ""), reg("var/new", "content"),
	}
	for i := range from {
		from[i].ModTime = time.Unix(1000000000, 0)
	}
	root := t.TempDir()
	require.NoError(t, Unpack(root, archive(t, from...), Options{}))
	packed := pack(t, root, WriteOptions{})
	assert.Equal(t, packed, pack(t, root, WriteOptions{}), "the same tree, the same bytes")

	found := list(t, bytes.NewReader(packed))
	assert.Len(t, found, len(from))
	for _, f := range from {
		if h := found[f.Name]; assert.NotNil(t, h, f.Name) {
			assert.Equal(t, f.Linkname, h.Linkname, f.Name)
			assert.Equal(t, int64(len(f.content)), h.Size, f.Name)
		}
	}
	assert.Equal(t, int64(0o4755), found["bin/su"].Mode)
	again := t.TempDir()
	require.NoError(t, Unpack(again, bytes.NewReader(packed), Options{}))
	assert.Equal(t, packed, pack(t, again, WriteOptions{}), "and back, the same")
}

func TestEpochBoundsTimes(t *testing.T) {
	root := t.TempDir()
	for name, when := range map[string]int64{"old": 100, "new": 2000} {
		path := filepath.Join(root, name)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chtimes(path, time.Unix(when, 5), time.Unix(when, 5)))
	}
	found := list(t, bytes.NewReader(pack(t, root, WriteOptions{
		Epoch: time.Unix(1000, 0), Root: true,
		Skip: func(name string) bool { return name == "skipped" },
	})))
	assert.Equal(t, int64(100), found["old"].ModTime.Unix())
	assert.Equal(t, int64(1000), found["new"].ModTime.Unix())
	assert.Equal(t, int64(1000), found["./"].ModTime.Unix())
	assert.Zero(t, found["old"].Uid)
}

func TestSkippedAndSockets(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "a/b"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "c"), 0o755))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd) //nolint:errcheck // It served its purpose.
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(root, "s")}))
	found := list(t, bytes.NewReader(pack(t, root, WriteOptions{
		Skip: func(name string) bool { return name == "a/b" },
	})))
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	assert.Equal(t, []string{"./", "a/", "c/"}, names)
}

func TestRedirectIsNoLayer(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "d"), 0o755))
	err := unix.Setxattr(filepath.Join(root, "d"), "user.overlay.redirect", []byte("/x"), 0)
	if err != nil {
		t.Skip("this file system has no user attributes on directories") // tmpfs before Linux 6.6
	}
	require.ErrorIs(t, Write(io.Discard, root, WriteOptions{}), ErrRenamed)
}

func TestSurveyKnowsWhatLayersChange(t *testing.T) {
	s := NewSurvey()
	for _, tt := range []struct {
		files []file
		want  string
	}{
		{[]file{
			dir("etc"), reg("etc/a", "1"), reg("etc/b", "22"), dir("var"), dir("var/lib"),
			reg("var/lib/x", ""),
		}, "A/etc A/etc/a A/etc/b A/var A/var/lib A/var/lib/x"},
		{
			[]file{dir("etc"), reg("etc/a", "new"), reg("etc/.wh.b", ""), reg("etc/.wh.c", "")},
			"C/etc/a D/etc/b",
		},
		{
			[]file{dir("var"), reg("var/y", ""), reg("var/.wh..wh..opq", ""), reg(".wh.etc", "")},
			"A/var/y D/var/lib D/etc",
		},
		{[]file{reg("var/lib", "a file")}, "A/var/lib"},
	} {
		changes, err := s.Layer(archive(t, tt.files...))
		require.NoError(t, err)
		var words []string
		for _, c := range changes {
			words = append(words, string(rune(c.Kind))+c.Name)
		}
		assert.Equal(t, tt.want, strings.Join(words, " "))
	}
}

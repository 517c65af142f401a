//go:build linux

package layers

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
	"lab/internal/sandbox"
	"lab/internal/screen"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       options
	}{
		{
			"an image and its changes", "rw,lowerdir=/a:/b,upperdir=/u,workdir=/w,uuid=on",
			options{lower: []string{"/a", "/b"}, upper: "/u", work: "/w"},
		},
		{
			"a colon and a comma in names", `ro,lowerdir=/a\134:b:/c\054d:/e\040f,userxattr`,
			options{lower: []string{"/a:b", "/c,d", "/e f"}, userxattr: true},
		},
		{
			"layers of contents alone", "ro,lowerdir=/a:/b::/d1::/d2",
			options{lower: []string{"/a", "/b"}, data: []string{"/d1", "/d2"}},
		},
		{
			"one by one", "rw,lowerdir+=/a:b,lowerdir+=/c,datadir+=/d,upperdir=/u,workdir=/w",
			options{
				lower: []string{"/a:b", "/c"}, data: []string{"/d"}, upper: "/u", work: "/w",
			},
		},
		{"none", "rw", options{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parse(tt.text)
			assert.Equal(t, tt.want, got)
			assert.Len(t, got.layers(), len(got.lower)+len(got.data)+min(1, len(got.upper)))
		})
	}
}

func TestFlags(t *testing.T) {
	lower, upper := flags([]string{"06", "run", "-lower", `/a\:b:/c`, "--upper=/u", "sh"})
	assert.Equal(t, []string{"/a:b", "/c"}, lower)
	assert.Equal(t, "/u", upper)
	lower, _ = flags([]string{"sleep", "lower", "1"})
	assert.Nil(t, lower)
}

// write makes a file, and the directories that lead to it.
func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// stack is a mounted overlay of two lower layers and an upper one.
func mounted(t *testing.T, more string) (dir, merged string) {
	t.Helper()
	need.Overlay(t)
	dir = t.TempDir()
	for _, name := range []string{"upper", "work", "top", "base", "merged"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	write(t, dir+"/top/app/both", "top")
	write(t, dir+"/base/app/both", "base")
	write(t, dir+"/base/app/gone", "gone")
	write(t, dir+"/base/old/file", "file")
	write(t, dir+"/base/old/sub/deep", "deep")
	write(t, dir+"/base/moved/file", "moved")
	write(t, dir+"/base/kept", "kept")
	merged = filepath.Join(dir, "merged")
	options := "lowerdir=" + dir + "/top:" + dir + "/base,upperdir=" + dir + "/upper,workdir=" +
		dir + "/work" + more
	if !mayReadTrusted() {
		options += ",userxattr"
	}
	require.NoError(t, unix.Mount("overlay", merged, "overlay", 0, options))
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(merged, 0)) })
	return dir, merged
}

// entry finds a name.
func entry(t *testing.T, s *Stack, path string) Entry {
	t.Helper()
	i := slices.IndexFunc(s.Entries, func(e Entry) bool { return e.Path == path })
	require.GreaterOrEqual(t, i, 0, "%s among %v", path, s.Entries)
	return s.Entries[i]
}

// change does to an overlay what a container may.
func change(t *testing.T, merged string) {
	t.Helper()
	file, err := os.OpenFile(merged+"/app/both", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString("more")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.NoError(t, os.Remove(merged+"/app/gone"))
	require.NoError(t, os.RemoveAll(merged+"/old"))
	write(t, merged+"/old/new", "new")
	require.NoError(t, os.Chmod(merged+"/moved", 0o700))
}

func TestStatesOfAMount(t *testing.T) {
	dir, merged := mounted(t, "")
	change(t, merged)
	s, err := OfDirectory(merged + "/app")
	require.NoError(t, err)
	assert.False(t, s.ReadOnly)
	require.Len(t, s.Layers, 3)
	for i, want := range []string{"upper", "top", "base"} {
		assert.Equal(t, filepath.Join(dir, want), s.Layers[i].Dir)
		assert.Empty(t, s.Layers[i].Why)
	}
	for path, want := range map[string]Entry{
		"/app":      {Layer: 0, State: Merged, Dir: true},
		"/app/both": {Layer: 0, State: CopiedUp, Size: 7, Hides: []int{1, 2}},
		"/app/gone": {Layer: 0, State: Whiteout, Hides: []int{2}},
		"/old":      {Layer: 0, State: Opaque, Dir: true, Hides: []int{2}},
		"/old/new":  {Layer: 0, State: New, Size: 3},
		"/moved":    {Layer: 0, State: Attributes, Dir: true},
		"/kept":     {Layer: 2, State: Plain, Size: 4},
	} {
		want.Path = path
		assert.Equal(t, want, entry(t, s, path))
	}
	own, shared, hidden := s.Sizes()
	assert.EqualValues(t, len("topmore")+len("new"), own)
	assert.EqualValues(t, len("top")+len("basegonefiledeepmovedkept"), shared)
	assert.EqualValues(t, len("topbasegonefiledeep"), hidden)
}

// Directories that were renamed and files of which only the mode was changed are
// followed by their marks. Both options need trusted attributes.
func TestRedirectAndMetacopy(t *testing.T) {
	need.RealRoot(t)
	_, merged := mounted(t, ",redirect_dir=on,metacopy=on")
	require.NoError(t, os.Rename(merged+"/moved", merged+"/app/elsewhere"))
	require.NoError(t, os.Rename(merged+"/old/sub", merged+"/old/other"))
	require.NoError(t, os.Chmod(merged+"/kept", 0o644)) //nolint:gosec // a change is what is needed
	s, err := OfDirectory(merged)
	require.NoError(t, err)
	assert.Equal(t, "/moved", entry(t, s, "/app/elsewhere").Redirect)
	assert.Equal(t, 2, entry(t, s, "/app/elsewhere/file").Layer)
	assert.Equal(t, "sub", entry(t, s, "/old/other").Redirect)
	assert.Equal(t, 2, entry(t, s, "/old/other/deep").Layer)
	kept := entry(t, s, "/kept")
	assert.True(t, kept.MetaCopy)
	assert.Equal(t, CopiedUp, kept.State)
	agree(t, s, merged)

	var out strings.Builder
	s.Print(screen.Screen{Writer: &out, Width: 80}, false)
	assert.Regexp(t, `U +merged +/app/elsewhere/ +was /moved\n`, out.String())
	assert.Regexp(t, `U +copied up +/kept +hides 2, attributes only\n`, out.String())
}

// agree compares the names that the layers make up with those of the overlay.
func agree(t *testing.T, s *Stack, merged string) {
	t.Helper()
	var ours, theirs []string
	for _, e := range s.Entries {
		if e.State != Whiteout {
			ours = append(ours, e.Path)
		}
	}
	require.NoError(t, filepath.WalkDir(merged, func(path string, _ fs.DirEntry, err error) error {
		if path != merged {
			theirs = append(theirs, strings.TrimPrefix(path, merged))
		}
		return err
	}))
	slices.Sort(theirs)
	slices.Sort(ours)
	assert.Equal(t, theirs, ours)
}

// Whatever is done to an overlay, its names and contents are those of the layers
// that are named.
func TestAgreesWithTheKernel(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run(strconv.FormatUint(seed, 16), func(t *testing.T) {
			_, merged := mounted(t, "")
			random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable is what it must be
			for range 40 {
				tumble(random, merged)
			}
			s, err := OfDirectory(merged)
			require.NoError(t, err)
			agree(t, s, merged)
			for _, e := range s.Entries {
				if e.Dir || e.State == Whiteout {
					continue
				}
				its, err := os.ReadFile(s.real(place{e.Layer, e.Path}))
				require.NoError(t, err)
				all, err := os.ReadFile(merged + e.Path)
				require.NoError(t, err)
				assert.Equal(t, string(all), string(its), e.Path)
			}
		})
	}
}

// tumble does one thing to some name of an overlay. Some are refused, such as
// renaming a directory of a lower layer.
func tumble(random *rand.Rand, merged string) {
	names := []string{"app", "app/both", "app/gone", "old", "old/file", "old/sub", "moved", "kept"}
	name := func() string { return filepath.Join(merged, names[random.IntN(len(names))]) }
	switch random.IntN(5) {
	case 0:
		_ = os.RemoveAll(name()) // see above
	case 1:
		_ = os.MkdirAll(name(), 0o755)
	case 2:
		_ = os.WriteFile(name(), []byte{byte('a' + random.IntN(26))}, 0o600)
	case 3:
		_ = os.Rename(name(), name())
	case 4:
		_ = os.Chmod(name(), 0o711) //nolint:gosec // a change is what is needed
	}
}

func TestNoOverlay(t *testing.T) {
	_, err := OfDirectory("/proc")
	require.ErrorIs(t, err, ErrNoOverlay)
	require.ErrorContains(t, err, "of type proc")
	_, err = OfDirectory("/no/such/place")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = OfDirectories([]string{"/", "/proc/self/comm"})
	require.ErrorContains(t, err, "not a directory")
}

func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a/x", "over")
	write(t, dir+"/b/x", "under")
	write(t, dir+"/b/d/y", "y")
	write(t, dir+"/c/d", "a file under a directory")
	s, err := OfDirectories([]string{dir + "/a", dir + "/b", dir + "/c"})
	require.NoError(t, err)
	assert.Equal(t, Entry{Path: "/x", Layer: 0, State: Replaced, Size: 4, Hides: []int{1}},
		entry(t, s, "/x"))
	assert.Equal(t, Entry{Path: "/d/y", Layer: 1, State: Plain, Size: 1}, entry(t, s, "/d/y"))
	assert.EqualValues(t, len("under")+len("a file under a directory"), s.Document().Hidden)

	var out strings.Builder
	s.Print(screen.Screen{Writer: &out, Width: 80}, true)
	assert.Regexp(t, `(?m)^U +replaced +/x +hides 1$`, out.String())
	assert.Regexp(t, `(?m)^1 +plain +/d/$`, out.String())
}

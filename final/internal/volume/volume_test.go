package volume_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"lab/final/internal/volume"
	"lab/internal/need"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	here, err := filepath.Abs("here")
	require.NoError(t, err)
	tests := []struct {
		text string
		want volume.Mount
	}{
		{"/data", volume.Mount{Kind: volume.Named, Target: "/data"}},
		{"web:/data/", volume.Mount{Kind: volume.Named, Source: "web", Target: "/data"}},
		{"web:/data:ro,nocopy", volume.Mount{
			Kind: volume.Named, Source: "web", Target: "/data", ReadOnly: true, NoCopy: true,
		}},
		{"/host:/data:rslave,ro", volume.Mount{
			Kind: volume.Bind, Source: "/host", Target: "/data", ReadOnly: true,
			Propagation: "rslave", MakeSource: true,
		}},
		{"/host:/data:idmap", volume.Mount{
			Kind: volume.Bind, Source: "/host", Target: "/data", Mapped: true, MakeSource: true,
		}},
		{"./here:/data", volume.Mount{
			Kind: volume.Bind, Source: here, Target: "/data", MakeSource: true,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := volume.Parse(tt.text)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestParseMount(t *testing.T) {
	tests := []struct {
		text string
		want volume.Mount
	}{
		{"type=bind,source=/host,target=/data,readonly,bind-propagation=shared", volume.Mount{
			Kind: volume.Bind, Source: "/host", Target: "/data", ReadOnly: true,
			Propagation: "shared",
		}},
		{"src=web,dst=/data,volume-nocopy=true", volume.Mount{
			Kind: volume.Named, Source: "web", Target: "/data", NoCopy: true,
		}},
		{"type=bind,src=/host,dst=/data,idmap", volume.Mount{
			Kind: volume.Bind, Source: "/host", Target: "/data", Mapped: true,
		}},
		{"type=tmpfs,target=/run,tmpfs-size=64m,tmpfs-mode=0700", volume.Mount{
			Kind: volume.Tmpfs, Target: "/run", Options: []string{"size=64m", "mode=0700"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := volume.ParseMount(tt.text)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestRefused(t *testing.T) {
	readers := map[string]func(string) (volume.Mount, error){
		"-v": volume.Parse, "--mount": volume.ParseMount, "--tmpfs": volume.ParseTmpfs,
	}
	tests := []struct{ flag, text, want string }{
		{"-v", "data", `"data" is not an absolute path in the container`},
		{"-v", "web:data", `"data" is not an absolute path in the container`},
		{"-v", ":/data", "nothing before the first colon"},
		{"-v", "a/b:/data", "begins with ./"},
		{"-v", "web:/", "the container's root is its image"},
		{"-v", "web:/data:rx", `there is no option "rx"`},
		{"-v", "web:/data:shared", "for directories of the host"},
		{"-v", "/host:/data:nocopy", "for volumes"},
		{"-v", "web:/data:idmap", "a volume needs none"},
		{"-v", "a:/b:ro:c", "expected [SOURCE:]TARGET[:OPTIONS]"},
		{"-v", "a b:/data", "a name is two or more"},
		{"--mount", "type=overlay,target=/x", "is none of bind, volume, tmpfs"},
		{"--mount", "type=bind,source=here,target=/x", "is not an absolute path"},
		{"--mount", "type=bind,source=/x", "is not an absolute path in the container"},
		{"--mount", "type=tmpfs,source=/x,target=/x", "a tmpfs has no source"},
		{"--mount", "type=bind,source=/x,target=/x,tmpfs-size=1m", "for a tmpfs"},
		{"--mount", "source=web,target=/x,readonly=maybe", "neither true nor false"},
		{"--mount", "source=web,target=/x,color=red", `there is no field "color"`},
		{"--tmpfs", "/run:size=big", "expected a number"},
		{"--tmpfs", "/run:mode=999", "not octal digits"},
		{"--tmpfs", "/run:size", `has no option "size"`},
		{"--tmpfs", "/run:exec=1", `has no option "exec=1"`},
	}
	for _, tt := range tests {
		t.Run(tt.flag+" "+tt.text, func(t *testing.T) {
			_, err := readers[tt.flag](tt.text)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"web:/data:ro", "/a:/b", ".:/x", "/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := volume.Parse(text)
		if err == nil && (!filepath.IsAbs(m.Target) || m.Target != filepath.Clean(m.Target)) {
			t.Errorf("%q: target %q", text, m.Target)
		}
	})
}

func TestOCI(t *testing.T) {
	m, err := volume.ParseTmpfs("/run:size=64m,exec")
	require.NoError(t, err)
	got := m.OCI("")
	assert.Equal(t, "tmpfs", got.Type)
	assert.Equal(t, "noexec nosuid nodev mode=1777 size=64m exec", strings.Join(got.Options, " "))

	m, err = volume.Parse("web:/data:ro")
	require.NoError(t, err)
	got = m.OCI("/volumes/web/_data")
	assert.Equal(t, "/volumes/web/_data", got.Source)
	assert.Equal(t, "rbind rprivate ro rro", strings.Join(got.Options, " "))
}

// open opens an empty store.
func open(t *testing.T) *volume.Store {
	t.Helper()
	s, err := volume.Open(filepath.Join(t.TempDir(), "volumes"))
	require.NoError(t, err)
	return s
}

// known is a list of containers that there are.
func known(ids ...string) volume.Alive {
	return func(id string) bool { return slices.Contains(ids, id) }
}

func TestLife(t *testing.T) {
	s := open(t)
	made, err := s.Create("data", map[string]string{"a": "b"})
	require.NoError(t, err)
	_, err = s.Create("data", nil)
	require.ErrorIs(t, err, volume.ErrExists)
	got, err := s.Inspect("data")
	require.NoError(t, err)
	assert.Equal(t, made, got)
	require.NoError(t, os.WriteFile(filepath.Join(got.Path, "kept"), nil, 0o600))

	// What a container has is not removed, and what is left of one is no obstacle.
	used, err := s.Use("data", "web")
	require.NoError(t, err)
	assert.Equal(t, got, used)
	require.ErrorIs(t, s.Remove("data", known("web")), volume.ErrInUse)
	gone, err := s.Prune(true, known("web"))
	require.NoError(t, err)
	assert.Empty(t, gone)
	assert.FileExists(t, filepath.Join(got.Path, "kept"))
	require.NoError(t, s.Remove("data", known()))
	_, err = s.Inspect("data")
	require.ErrorIs(t, err, volume.ErrNotFound)
	require.ErrorIs(t, s.Remove("data", known()), volume.ErrNotFound)
	all, err := s.List()
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestAnonymous(t *testing.T) {
	s := open(t)
	named, err := s.Use("data", "web")
	require.NoError(t, err)
	v, err := s.Use("", "web")
	require.NoError(t, err)
	assert.True(t, v.Anonymous)
	assert.Len(t, v.Name, 64)
	orphans, err := s.Release("web")
	require.NoError(t, err)
	assert.Equal(t, []string{v.Name}, orphans)
	gone, err := s.Prune(false, known())
	require.NoError(t, err)
	assert.Equal(t, []string{v.Name}, gone)
	assert.DirExists(t, named.Path)
}

func TestNamesStayInTheStore(t *testing.T) {
	s := open(t)
	for _, name := range []string{"../x", "..", "a/b", ".lock", "x"} {
		_, err := s.Create(name, nil)
		require.ErrorIs(t, err, volume.ErrName, name)
		require.ErrorIs(t, s.Remove(name, known()), volume.ErrName, name)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := open(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, one := s.Use("data", "web")
			_, two := s.Use("", "web")
			assert.NoError(t, errors.Join(one, two))
		})
	}
	wg.Wait()
	all, err := s.List()
	require.NoError(t, err)
	assert.Len(t, all, 21)
}

// What a killed command has left is gone with the next one.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	s, err := volume.Open(dir)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".new-1", "_data"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".gone-old", "_data"), 0o700))
	_, err = s.Create("data", nil)
	require.NoError(t, err)
	assert.NoDirExists(t, filepath.Join(dir, ".new-1"))
	assert.NoDirExists(t, filepath.Join(dir, ".gone-old"))
}

// image makes a directory that stands for what an image holds.
func image(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "srv/www/sub"), 0o755))
	require.NoError(t, os.Chmod(filepath.Join(root, "srv/www"), os.ModeSticky|0o770))
	file := filepath.Join(root, "srv/www/index")
	require.NoError(t, os.WriteFile(file, []byte("hello"), 0o640))
	require.NoError(t, os.Link(file, filepath.Join(root, "srv/www/sub/same")))
	require.NoError(t, os.Symlink("/srv/www", filepath.Join(root, "link")))
	require.NoError(t, os.Symlink("../../../../../../etc", filepath.Join(root, "out")))
	return root
}

func TestFill(t *testing.T) {
	s, root := open(t), image(t)
	v, err := s.Use("data", "web")
	require.NoError(t, err)
	// The link is absolute, and leads to a directory of the image all the same.
	require.NoError(t, s.Fill("data", "web", root, "/link"))
	text, err := os.ReadFile(filepath.Join(v.Path, "sub/same"))
	require.NoError(t, err)
	assert.Equal(t, "hello", string(text))
	info, err := os.Stat(v.Path)
	require.NoError(t, err)
	assert.Equal(t, os.ModeDir|os.ModeSticky|0o770, info.Mode())
	one, err := os.Stat(filepath.Join(v.Path, "index"))
	require.NoError(t, err)
	two, err := os.Stat(filepath.Join(v.Path, "sub/same"))
	require.NoError(t, err)
	assert.True(t, os.SameFile(one, two))
	want, err := os.Stat(filepath.Join(root, "srv/www/index"))
	require.NoError(t, err)
	assert.Equal(t, want.ModTime(), one.ModTime())
}

func TestFillsOnlyWhatIsEmptyAndNew(t *testing.T) {
	s, root := open(t), image(t)
	v, err := s.Use("data", "web")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(v.Path, "mine"), nil, 0o600))
	require.NoError(t, s.Fill("data", "web", root, "/srv/www"))
	assert.NoFileExists(t, filepath.Join(v.Path, "index"))

	v, err = s.Use("shared", "web")
	require.NoError(t, err)
	_, err = s.Use("shared", "db")
	require.NoError(t, err)
	require.NoError(t, s.Fill("shared", "web", root, "/srv/www"))
	assert.NoFileExists(t, filepath.Join(v.Path, "index"))

	v, err = s.Use("other", "web")
	require.NoError(t, err)
	require.NoError(t, s.Fill("other", "web", root, "/none"))
	require.NoError(t, s.Fill("other", "web", root, "/out")) // the host's /etc is not the image's
	entries, err := os.ReadDir(v.Path)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// Owners, devices and attributes are kept, too, where there is somebody who may set them.
func TestFillKeepsOwners(t *testing.T) {
	need.RealRoot(t)
	s, root := open(t), image(t)
	file := filepath.Join(root, "srv/www/index")
	require.NoError(t, os.Chown(file, 1000, 1001))
	require.NoError(t, os.Chmod(file, 0o750|os.ModeSetuid))
	v, err := s.Use("data", "web")
	require.NoError(t, err)
	require.NoError(t, s.Fill("data", "web", root, "/srv/www"))
	info, err := os.Stat(filepath.Join(v.Path, "index"))
	require.NoError(t, err)
	assert.Equal(t, os.ModeSetuid|0o750, info.Mode())
	st, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	assert.Equal(t, []uint32{1000, 1001}, []uint32{st.Uid, st.Gid})
}

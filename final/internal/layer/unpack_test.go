package layer

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// stat looks at a file itself.
func stat(t *testing.T, path ...string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Lstat(filepath.Join(path...), &st))
	return st
}

// opaque returns the attribute of an opaque directory, under the name we may give it.
func opaque(t *testing.T, path ...string) string {
	t.Helper()
	for _, name := range []string{trustedOpaque, userOpaque} {
		value := make([]byte, 8)
		if n, err := unix.Lgetxattr(filepath.Join(path...), name, value); err == nil {
			return string(value[:n])
		}
	}
	return ""
}

func TestEntriesBecomeFiles(t *testing.T) {
	root := t.TempDir()
	when := time.Unix(1000000000, 0)
	setuid := reg("bin/su", "x")
	setuid.Mode, setuid.ModTime = 0o4755, when
	sub := dir("bin")
	sub.Mode, sub.ModTime = 0o2775, when
	top := dir("./")
	top.Mode = 0o711
	fifo := file{tar.Header{Typeflag: tar.TypeFifo, Name: "pipe", Mode: 0o622}, ""}
	noted := reg("noted", "x")
	noted.PAXRecords = map[string]string{xattrRecord + "user.mood": "good"}
	require.NoError(t, Unpack(root, archive(t, top, sub, setuid, hardlink("bin/sudo", "./bin/su"),
		symlink("sh", "/bin/su"), fifo, noted, reg("deep/er/file", "content")), Options{}))

	assert.Equal(t, uint32(unix.S_IFDIR|0o711), stat(t, root).Mode)
	st := stat(t, root, "bin/su")
	assert.Equal(t, uint32(unix.S_IFREG|0o4755), st.Mode)
	assert.Equal(t, when.Unix(), st.Mtim.Sec)
	assert.Equal(t, st.Ino, stat(t, root, "bin/sudo").Ino)
	st = stat(t, root, "bin")
	assert.Equal(t, uint32(unix.S_IFDIR|0o2775), st.Mode)
	assert.Equal(t, when.Unix(), st.Mtim.Sec, "a directory's time is set after its files")
	target, err := os.Readlink(filepath.Join(root, "sh"))
	require.NoError(t, err)
	assert.Equal(t, "/bin/su", target)
	assert.Equal(t, uint32(unix.S_IFIFO|0o622), stat(t, root, "pipe").Mode)
	text, err := os.ReadFile(filepath.Join(root, "deep/er/file"))
	require.NoError(t, err)
	assert.Equal(t, "content", string(text))
	value := make([]byte, 8)
	n, err := unix.Getxattr(filepath.Join(root, "noted"), "user.mood", value)
	if err != unix.EOPNOTSUPP { //nolint:errorlint // It is a bare number. A tmpfs may have none.
		require.NoError(t, err)
		assert.Equal(t, "good", string(value[:n]))
	}
}

func TestTheLaterEntryCounts(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, Unpack(root, archive(t,
		reg("a", "first"), reg("a", "second"),
		dir("b"), reg("b/in", "x"), reg("b", "now a file"),
		symlink("c", "a"), reg("c", "no longer a link"),
		reg("d", "x"), dir("d"), reg("d/in", "x"),
		dir("e"), reg("e/kept", "x"), dir("e"),
	), Options{}))
	for name, want := range map[string]string{
		"a": "second", "b": "now a file", "c": "no longer a link", "d/in": "x", "e/kept": "x",
	} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(text), name)
	}
}

func TestWhiteoutsAreOverlays(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, Unpack(root, archive(t,
		dir("etc"), reg("etc/.wh.motd", ""), reg(".wh.gone", ""),
		dir("var"), reg("var/.wh..wh..opq", ""), reg("var/new", "x"),
		reg(".wh..wh.plnk/1.2", ""), reg(".wh..wh.aufs", ""),
		dir("both"), reg("both/in", "x"), reg(".wh.both", ""),
		reg(".wh.later", ""), dir("later"), reg("later/in", "x"),
		reg(".wh.implied", ""), reg("implied/in", "x"),
		reg("file", "x"), reg(".wh.file", ""),
	), Options{}))
	for _, name := range []string{"etc/motd", "gone"} {
		st := stat(t, root, name)
		assert.Equal(t, uint32(unix.S_IFCHR), st.Mode&unix.S_IFMT, name)
		assert.Zero(t, st.Rdev, name)
	}
	for _, name := range []string{"var", "both", "later", "implied"} {
		assert.Equal(t, "y", opaque(t, root, name), name)
	}
	for _, name := range []string{"var/new", "both/in", "later/in", "implied/in", "file"} {
		assert.FileExists(t, filepath.Join(root, name))
	}
	names, err := filepath.Glob(filepath.Join(root, ".wh.*"))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(names), 1, "at most the directory of aufs's own: %s", names)
}

func TestHolesStayHoles(t *testing.T) {
	root := t.TempDir()
	const size = 16 << 20
	content := make([]byte, size)
	copy(content[size/2:], "here")
	require.NoError(t, Unpack(root, archive(t, reg("sparse", string(content)),
		reg("zeroes", string(make([]byte, size))), reg("few", "\x00\x00")), Options{}))
	st := stat(t, root, "sparse")
	assert.Equal(t, int64(size), st.Size)
	assert.Less(t, st.Blocks*512, int64(size/2))
	assert.Equal(t, int64(size), stat(t, root, "zeroes").Size)
	assert.Equal(t, int64(2), stat(t, root, "few").Size)
	text, err := os.ReadFile(filepath.Join(root, "sparse"))
	require.NoError(t, err)
	assert.Equal(t, string(content), string(text))
}

// hostile is a tar and how it must end.
type hostile struct {
	name  string
	files []file
	want  error // nil: it stays inside
}

// hostileTars are the ways out that were tried. HOST is a directory outside.
func hostileTars() []hostile {
	long := strings.Repeat("d/", 3000)
	zero := file{tar.Header{Typeflag: tar.TypeChar, Name: "etc", Mode: 0o600}, ""}
	redirect := dir("d")
	redirect.PAXRecords = map[string]string{
		xattrRecord + "trusted.overlay.redirect": "/host", xattrRecord + "user.overlay.opaque": "y",
		xattrRecord + "trusted.overlay.opaque": "y",
	}
	return []hostile{
		{"a name climbs out", []file{reg("../out", "x")}, ErrHostile},
		{"a name climbs out on the way", []file{reg("a/../../out", "x")}, ErrHostile},
		{"a name is absolute", []file{reg("/out", "x")}, nil},
		{"a name climbs at the top", []file{reg("/../out", "x")}, nil},
		{"a directory is a link", []file{symlink("d", "HOST"), reg("d/out", "x")}, ErrFormat},
		{"a directory is a link that climbs", []file{
			symlink("d", "../../../../../../../../HOST"), reg("d/out", "x"),
		}, ErrFormat},
		{"a link on a link", []file{
			symlink("a", ".."), symlink("b", "a/HOST"), reg("b/out", "x"),
		}, ErrFormat},
		{"a file is a link", []file{symlink("f", "HOST/secret"), reg("f", "x")}, nil},
		{"a directory replaces a link", []file{
			symlink("d", "HOST"), dir("d"), reg("d/out", "x"),
		}, nil},
		{"a hard link to a file outside", []file{hardlink("f", "HOST/secret")}, unix.ENOENT},
		{"a hard link that climbs", []file{hardlink("f", "../HOST/secret")}, ErrHostile},
		{"a hard link through a link", []file{
			symlink("d", "HOST"), hardlink("f", "d/secret"), reg("f", "x"),
		}, unix.ENOENT},
		{"a hard link to a link, then written", []file{
			symlink("l", "HOST/secret"), hardlink("f", "l"), reg("f", "x"),
		}, nil},
		{"a whiteout of the directory above", []file{reg(".wh...", "")}, ErrHostile},
		{"a whiteout of the directory itself", []file{reg("a/.wh..", "")}, ErrHostile},
		{"a whiteout of nothing", []file{reg(".wh.", "")}, ErrHostile},
		{"a whiteout through a link", []file{
			symlink("d", "HOST"), reg("d/.wh.secret", ""),
		}, ErrFormat},
		{"an opaque mark through a link", []file{
			symlink("d", "HOST"), reg("d/.wh..wh..opq", ""),
		}, ErrFormat},
		{"a device that is a whiteout", []file{zero}, ErrHostile},
		{"the root is a link", []file{symlink("./", "HOST")}, ErrHostile},
		{"attributes that overlayfs obeys", []file{redirect}, nil},
		{"a name without end", []file{reg(long+"f", "x")}, ErrTooLarge},
		{"a magic link", []file{symlink("d", "/proc/self/root"), reg("d/out", "x")}, ErrFormat},
	}
}

func TestHostileTars(t *testing.T) {
	for _, tt := range hostileTars() {
		t.Run(tt.name, func(t *testing.T) {
			temp := t.TempDir()
			root, host := filepath.Join(temp, "layer"), filepath.Join(temp, "host")
			require.NoError(t, os.Mkdir(root, 0o755))
			require.NoError(t, os.Mkdir(host, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(host, "secret"), []byte("s"), 0o600))
			for i := range tt.files {
				h := &tt.files[i].Header
				h.Linkname = strings.Replace(h.Linkname, "HOST", host, 1)
			}
			err := Unpack(root, archive(t, tt.files...), Options{})
			if tt.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tt.want)
			}
			untouched(t, temp, host)
			for _, d := range []string{"d", "."} {
				if _, err := os.Lstat(filepath.Join(root, d)); err == nil {
					assert.Empty(t, opaque(t, root, d), d)
				}
			}
		})
	}
}

// untouched makes sure that only the layer has changed.
func untouched(t *testing.T, temp, host string) {
	t.Helper()
	entries, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "nothing new beside the layer")
	entries, err = os.ReadDir(host)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing new in the other directory")
	st := stat(t, host, "secret")
	assert.Equal(t, uint64(1), st.Nlink)
	assert.Equal(t, uint32(unix.S_IFREG|0o600), st.Mode)
	text, err := os.ReadFile(filepath.Join(host, "secret"))
	require.NoError(t, err)
	assert.Equal(t, "s", string(text))
	assert.NoFileExists(t, "/out")
	assert.Empty(t, opaque(t, host))
}

func TestLinksLeadWhereTheyDoInTheContainer(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, Unpack(root, archive(t, dir("usr"), dir("usr/lib"),
		symlink("lib", "/usr/lib"), reg("lib/a", "x"), symlink("up", "../../usr"),
		reg("up/lib/.wh.b", ""), hardlink("c", "up/lib/a"),
	), Options{}))
	assert.Equal(t, stat(t, root, "usr/lib/a").Ino, stat(t, root, "c").Ino)
	assert.Equal(t, uint32(unix.S_IFCHR), stat(t, root, "usr/lib/b").Mode&unix.S_IFMT)
}

func TestSizesAreBounded(t *testing.T) {
	huge := func() *strings.Reader {
		var b strings.Builder
		w := tar.NewWriter(&b)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "huge", Size: 1 << 62}))
		return strings.NewReader(b.String())
	}
	root := t.TempDir()
	require.ErrorIs(t, Unpack(root, huge(), Options{}), ErrTooLarge)
	assert.NoFileExists(t, filepath.Join(root, "huge"))
	two := archive(t, reg("a", "1234"), reg("b", "5678"))
	require.ErrorIs(t, Unpack(t.TempDir(), two, Options{MaxBytes: 7}), ErrTooLarge)
	two = archive(t, reg("a", ""), reg("b", ""))
	require.ErrorIs(t, Unpack(t.TempDir(), two, Options{MaxEntries: 1}), ErrTooLarge)
}

func TestPlainTarsKnowNoWhiteouts(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, Unpack(root, archive(t, reg(".wh.file", "x")), Options{
		Plain: true, Owner: &Owner{UID: os.Getuid(), GID: os.Getgid()},
	}))
	assert.FileExists(t, filepath.Join(root, ".wh.file"))
}

func TestOwnersAndDevicesOfRoot(t *testing.T) {
	need.Sandbox(t)
	need.RealRoot(t)
	root := t.TempDir()
	owned := reg("owned", "x")
	owned.Uid, owned.Gid = 1234, 5678
	link := symlink("link", "owned")
	link.Uid = 99
	null := file{tar.Header{Name: "null", Mode: 0o666}, ""}
	null.Typeflag, null.Devmajor, null.Devminor = tar.TypeChar, 1, 3
	capable := reg("ping", "x")
	// VFS_CAP_REVISION_2, effective; cap_net_raw permitted.
	value := "\x01\x00\x00\x02\x00\x20\x00\x00" + strings.Repeat("\x00", 12)
	capable.PAXRecords = map[string]string{xattrRecord + "security.capability": value}
	capable.Uid = 7
	require.NoError(t, Unpack(root, archive(t, owned, link, null, capable), Options{}))
	st := stat(t, root, "owned")
	assert.Equal(t, []uint32{1234, 5678}, []uint32{st.Uid, st.Gid})
	assert.Equal(t, uint32(99), stat(t, root, "link").Uid)
	st = stat(t, root, "null")
	assert.Equal(t, uint32(unix.S_IFCHR|0o666), st.Mode)
	assert.Equal(t, unix.Mkdev(1, 3), st.Rdev)
	got := make([]byte, 32)
	n, err := unix.Getxattr(filepath.Join(root, "ping"), "security.capability", got)
	require.NoError(t, err)
	assert.Equal(t, value, string(got[:n]))
}

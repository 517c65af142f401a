//go:build linux

package baseroot

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/box"
	"lab/internal/need"
	"lab/internal/sandbox"
)

// TestMain makes this test binary a multi-call program, too.
func TestMain(m *testing.M) {
	if status, ok := box.Run(os.Args); ok {
		os.Exit(status)
	}
	os.Exit(sandbox.Run(m))
}

// lab is a static multi-call program, as the lab binary is: this test binary where it
// is static, as in the VM, else one that is built.
func lab(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if static, err := isStatic(self); err == nil && static {
		return self
	}
	need.Go(t)
	path := filepath.Join(t.TempDir(), "lab")
	dir, err := checkout()
	require.NoError(t, err)
	require.NoError(t, build(t.Context(), dir, "./internal/box/testdata/multicall", path))
	return path
}

// inRoot runs a command with dir as its root directory.
func inRoot(t *testing.T, dir string, args ...string) string {
	t.Helper()
	need.Sandbox(t)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", args, out)
	return string(out)
}

func TestSourcesAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]Source{
		"":                    {Kind: Box},
		"box":                 {Kind: Box},
		"busybox":             {Kind: Busybox},
		"busybox:/opt/busy":   {Kind: Busybox, Path: "/opt/busy"},
		"dir:/srv/root":       {Kind: Dir, Path: "/srv/root"},
		"dir:with:colon/path": {Kind: Dir, Path: "with:colon/path"},
	} {
		got, err := ParseSource(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := ParseSource(got.String())
		require.NoError(t, err)
		assert.Equal(t, want, again)
	}
	for _, text := range []string{"dir:", "dir", "alpine", "busybox:", ":"} {
		_, err := ParseSource(text)
		assert.Error(t, err, text)
	}
}

func TestBoxRoot(t *testing.T) {
	program, dir := lab(t), filepath.Join(t.TempDir(), "deep", "root")
	before := unix.Umask(0o002)
	require.NoError(t, Write(dir, Source{Lab: program}))
	unix.Umask(before)

	t.Run("every applet is there, one file of many names", func(t *testing.T) {
		first, err := os.Stat(filepath.Join(dir, "bin/sh"))
		require.NoError(t, err)
		for _, name := range box.Applets() {
			info, err := os.Lstat(filepath.Join(dir, "bin", name))
			require.NoError(t, err)
			assert.True(t, os.SameFile(first, info), name)
		}
	})
	t.Run("it shares no file with the machine", func(t *testing.T) {
		ours, err := os.Stat(filepath.Join(dir, "bin/sh"))
		require.NoError(t, err)
		theirs, err := os.Stat(program)
		require.NoError(t, err)
		assert.False(t, os.SameFile(ours, theirs))
	})
	t.Run("no link is absolute, and only the owner may write", func(t *testing.T) {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			require.NoError(t, err)
			if d.Type()&fs.ModeSymlink != 0 {
				target, err := os.Readlink(path)
				require.NoError(t, err)
				assert.False(t, filepath.IsAbs(target), path)
				return nil
			}
			info, err := d.Info()
			require.NoError(t, err)
			if info.Mode()&fs.ModeSticky == 0 {
				assert.Zero(t, info.Mode()&0o022, path)
			}
			return nil
		}))
		info, err := os.Stat(filepath.Join(dir, "tmp"))
		require.NoError(t, err)
		assert.Equal(t, fs.ModeDir|fs.ModeSticky|0o777, info.Mode())
	})
	t.Run("it works as a root directory", func(t *testing.T) {
		assert.Equal(t, "root\n", inRoot(t, dir, "/usr/sbin/sh", "-c", "whoami"))
		release := inRoot(t, dir, "/bin/cat", "/etc/os-release")
		assert.Contains(t, release, `NAME="container lab root"`)
		assert.Equal(t, "\"x y\"\n", inRoot(t, dir, "/bin/probe", "argv", "x y"))
	})
}

func TestBusyboxRoot(t *testing.T) {
	need.Tool(t, "busybox", "busybox-static")
	program, dir := lab(t), filepath.Join(t.TempDir(), "root")
	require.NoError(t, Write(dir, Source{Kind: Busybox, Lab: program}))
	out := inRoot(t, dir, "/bin/sh", "-c", "busybox | head -n 1; probe argv a; hog 1M")
	assert.Regexp(t, `^BusyBox .*\n"a"\nhog: 1M held\n$`, out)
}

func TestCopiedRoot(t *testing.T) {
	program, temp := lab(t), t.TempDir()
	from, dir := filepath.Join(temp, "from"), filepath.Join(temp, "root")
	require.NoError(t, os.MkdirAll(filepath.Join(from, "usr/bin"), 0o775))
	require.NoError(t, os.Symlink("usr/bin", filepath.Join(from, "bin")))
	require.NoError(t, os.WriteFile(filepath.Join(from, "usr/bin/tool"), []byte("x"), 0o600))
	require.NoError(t, unix.Chmod(filepath.Join(from, "usr/bin/tool"), 0o4775))
	require.NoError(t, os.Link(filepath.Join(from, "usr/bin/tool"), filepath.Join(from, "second")))
	require.NoError(t, unix.Mkfifo(filepath.Join(from, "pipe"), 0o600))
	require.NoError(t, Write(dir, Source{Kind: Dir, Path: from, Lab: program}))

	tool, err := os.Stat(filepath.Join(dir, "bin/tool"))
	require.NoError(t, err)
	assert.Equal(t, fs.ModeSetuid|0o755, tool.Mode(), "set-user-ID stays, group write goes")
	second, err := os.Stat(filepath.Join(dir, "second"))
	require.NoError(t, err)
	assert.True(t, os.SameFile(tool, second), "hard links stay hard links")
	pipe, err := os.Stat(filepath.Join(dir, "pipe"))
	require.NoError(t, err)
	assert.Equal(t, fs.ModeNamedPipe|0o600, pipe.Mode())
	assert.FileExists(t, filepath.Join(dir, "usr/bin/probe"))

	t.Run("a link that leads out is not followed", func(t *testing.T) {
		outside := filepath.Join(temp, "outside")
		require.NoError(t, os.Mkdir(outside, 0o755))
		hostile := filepath.Join(temp, "hostile")
		require.NoError(t, os.Mkdir(hostile, 0o755))
		require.NoError(t, os.Symlink(outside, filepath.Join(hostile, "bin")))
		source := Source{Kind: Dir, Path: hostile, Lab: program}
		require.Error(t, Write(filepath.Join(temp, "other"), source))
		entries, err := os.ReadDir(outside)
		require.NoError(t, err)
		assert.Empty(t, entries)
		assert.NoDirExists(t, filepath.Join(temp, "other"))
	})
	t.Run("it does not copy itself or the whole machine", func(t *testing.T) {
		source := Source{Kind: Dir, Path: from, Lab: program}
		require.Error(t, Write(filepath.Join(from, "in", "root"), source))
		source.Path = "/"
		require.Error(t, Write(filepath.Join(temp, "all"), source))
		assert.NoDirExists(t, filepath.Join(from, "in"))
	})
}

func TestWhatIsThereDecides(t *testing.T) {
	program, temp := lab(t), t.TempDir()
	source := Source{Lab: program}
	clean := func(t *testing.T) {
		left, err := filepath.Glob(filepath.Join(temp, ".*new*"))
		require.NoError(t, err)
		assert.Empty(t, left, "nothing is left beside")
	}
	t.Run("an empty directory is filled", func(t *testing.T) {
		dir := filepath.Join(temp, "empty")
		require.NoError(t, os.Mkdir(dir, 0o755))
		require.NoError(t, Write(dir, source))
		assert.FileExists(t, filepath.Join(dir, "bin/sh"))
		clean(t)
	})
	t.Run("a root of ours is replaced by a fresh one", func(t *testing.T) {
		dir := filepath.Join(temp, "empty")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "stale"), nil, 0o600))
		require.NoError(t, os.Remove(filepath.Join(dir, "bin/sh")))
		require.NoError(t, Write(dir, source))
		assert.NoFileExists(t, filepath.Join(dir, "stale"))
		assert.FileExists(t, filepath.Join(dir, "bin/sh"))
		clean(t)
	})
	t.Run("anything else is left alone", func(t *testing.T) {
		dir := filepath.Join(temp, "mine")
		require.NoError(t, os.Mkdir(dir, 0o755))
		file := filepath.Join(dir, "thesis")
		require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
		require.ErrorIs(t, Write(dir, source), ErrForeign)
		require.ErrorIs(t, Write(file, source), syscall.ENOTDIR)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "x", string(text))
		clean(t)
	})
	t.Run("a root with something mounted in it is left alone", func(t *testing.T) {
		need.Sandbox(t)
		dir := filepath.Join(temp, "busy")
		require.NoError(t, Write(dir, source))
		precious := filepath.Join(temp, "precious")
		require.NoError(t, os.Mkdir(precious, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(precious, "data"), nil, 0o600))
		require.NoError(t, unix.Mount(precious, filepath.Join(dir, "mnt"), "", unix.MS_BIND, ""))
		err := Write(dir, source)
		require.NoError(t, unix.Unmount(filepath.Join(dir, "mnt"), 0))
		require.ErrorIs(t, err, ErrBusy)
		assert.FileExists(t, filepath.Join(precious, "data"))
		clean(t)
	})
	t.Run("a failure leaves nothing", func(t *testing.T) {
		dir := filepath.Join(temp, "never")
		require.ErrorIs(t, Write(dir, Source{Lab: filepath.Join(temp, "no-lab")}), fs.ErrNotExist)
		assert.NoDirExists(t, dir)
		clean(t)
	})
}

func TestStaticIsReadFromTheELFHeader(t *testing.T) {
	static, err := isStatic(lab(t))
	require.NoError(t, err)
	assert.True(t, static)

	dynamic := filepath.Join(t.TempDir(), "dynamic")
	require.NoError(t, os.WriteFile(dynamic, dynamicELF(), 0o755))
	static, err = isStatic(dynamic)
	require.NoError(t, err)
	assert.False(t, static)
	err = Write(filepath.Join(t.TempDir(), "root"), Source{Lab: dynamic})
	require.ErrorIs(t, err, ErrDynamic)

	_, err = isStatic("/etc/passwd")
	require.ErrorContains(t, err, "read the ELF header of /etc/passwd")
}

// dynamicELF is the smallest program that names a loader: an ELF header and one
// program header of type PT_INTERP.
func dynamicELF() []byte {
	elf := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 64+56-7)...)
	elf[16], elf[18], elf[20] = 2, 62, 1 // ET_EXEC, x86-64, version
	elf[32] = 64                         // the program headers follow
	elf[52], elf[54], elf[56] = 64, 56, 1
	elf[58] = 64
	elf[64] = 3 // PT_INTERP
	return elf
}

// With gcc on PATH a plain build links dynamically; the static one is then built, and
// found the next time.
func TestStaticBinaryIsBuiltOnce(t *testing.T) {
	goTool := need.Go(t)
	need.Tool(t, "gcc", "gcc")
	temp := t.TempDir()
	self := filepath.Join(temp, "static")
	cmd := exec.Command(goTool, "build", "-o", self, "./testdata/static")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	static, err := isStatic(self)
	require.NoError(t, err)
	require.False(t, static, "the build is the trap it is meant to be")

	var paths []string
	for range 2 {
		out, err := exec.Command(self, filepath.Join(temp, "cache")).CombinedOutput()
		require.NoError(t, err, string(out))
		paths = append(paths, strings.TrimSpace(string(out)))
	}
	assert.Equal(t, paths[0], paths[1])
	static, err = isStatic(paths[0])
	require.NoError(t, err)
	assert.True(t, static)
	entries, err := os.ReadDir(filepath.Join(temp, "cache"))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestBuildSaysWhatFailed(t *testing.T) {
	need.Go(t)
	dir, err := checkout()
	require.NoError(t, err)
	err = build(t.Context(), dir, "lab/nothing", filepath.Join(t.TempDir(), "x"))
	require.ErrorContains(t, err, "go build lab/nothing in "+dir)
}

func TestOrdinaryUserWritesARoot(t *testing.T) {
	if os.Getuid() == 0 {
		need.RealRoot(t)
		need.Tool(t, "setpriv", "util-linux")
	}
	// The directories above t.TempDir are closed to others.
	temp, err := os.MkdirTemp("/tmp", "baseroot-user-") //nolint:usetesting // As said.
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(temp)) })
	require.NoError(t, os.Chmod(temp, 0o777))
	self, err := os.Executable()
	require.NoError(t, err)
	for to, from := range map[string]string{"helper": self, "lab": lab(t)} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(temp, to), text, 0o755))
	}
	args := []string{filepath.Join(temp, "helper"), "-test.run", "^TestHelperWrite$", "-test.v"}
	if os.Getuid() == 0 {
		other := []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}
		args = append(other, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = temp
	cmd.Env = append(os.Environ(), "BASEROOT_HELPER="+temp)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	info, err := os.Stat(filepath.Join(temp, "root", "bin", "sh"))
	require.NoError(t, err)
	if os.Getuid() == 0 {
		assert.Equal(t, uint32(65534), info.Sys().(*syscall.Stat_t).Uid)
	}
	assert.True(t, bytes.Contains(out, []byte("PASS")))
}

// TestHelperWrite is the other process of TestOrdinaryUserWritesARoot.
func TestHelperWrite(t *testing.T) {
	dir := os.Getenv("BASEROOT_HELPER")
	if dir == "" {
		return
	}
	require.NoError(t, Write(filepath.Join(dir, "root"), Source{Lab: filepath.Join(dir, "lab")}))
	require.NoError(t, Write(filepath.Join(dir, "root"), Source{Lab: filepath.Join(dir, "lab")}))
}

func BenchmarkWrite(b *testing.B) {
	program, dir := lab(b), filepath.Join(b.TempDir(), "root")
	for b.Loop() {
		require.NoError(b, Write(dir, Source{Lab: program}))
	}
}

package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/final/internal/build"
	"lab/final/internal/image"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// workshop is a store, a directory to build from, and all else that a build takes.
type workshop struct {
	t   *testing.T
	b   build.Builder
	dir string
	out bytes.Buffer

	root string // of the store
}

// newWorkshop makes one with these files; a name that ends in a slash is a directory.
func newWorkshop(t *testing.T, files map[string]string) *workshop {
	t.Helper()
	w := &workshop{t: t, dir: t.TempDir()}
	for name, text := range files {
		w.write(name, text)
	}
	w.root = inMemory(t)
	store, err := image.Open(w.root)
	require.NoError(t, err)
	w.b = build.Builder{
		Images: store, Base: (*image.Store).Resolve,
		Progress: &build.Plain{Out: &w.out}, Runner: noRunner{},
	}
	return w
}

// inMemory is a directory that is in memory, if it can be: a store waits for the disk.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mini-build-") //nolint:usetesting // As said.
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// write writes a file to build from, which is older than the epoch of the tests.
func (w *workshop) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	if strings.HasSuffix(name, "/") {
		require.NoError(w.t, os.MkdirAll(path, 0o755))
		return
	}
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
	require.NoError(w.t, os.Chmod(path, 0o644))
}

// noRunner runs nothing: what these tests build needs no container.
type noRunner struct{}

var errRun = errors.New("nothing can be run here")

func (noRunner) Run(context.Context, build.Root, build.Run, io.Writer) (
	string, func() error, error,
) {
	return "", nil, errRun
}

// try builds.
func (w *workshop) try(dockerfile string) (*image.Image, error) {
	w.t.Helper()
	w.out.Reset()
	f, err := build.Parse([]byte(dockerfile))
	if err != nil {
		return nil, err
	}
	ignore := filepath.Join(w.dir, ".dockerignore")
	w.b.Directory, err = build.OpenDirectory(w.dir, ignore)
	require.NoError(w.t, err)
	defer w.b.Directory.Close()
	return w.b.Build(w.t.Context(), f)
}

// build builds what can be built.
func (w *workshop) build(dockerfile string) *image.Image {
	w.t.Helper()
	img, err := w.try(dockerfile)
	require.NoError(w.t, err)
	return img
}

// name gives what is built from now on a name.
func (w *workshop) name(name string) {
	w.t.Helper()
	ref, err := image.ParseReference(name)
	require.NoError(w.t, err)
	w.b.Names = []image.Reference{ref}
}

// list lists the files of an image's layers, one line each: type, mode, owner, name, and
// what is in it.
func (w *workshop) list(img *image.Image) []string {
	w.t.Helper()
	var lines []string
	for _, l := range img.Layers() {
		r, err := w.b.Images.Tar(l)
		require.NoError(w.t, err)
		defer r.Close()
		for archive := tar.NewReader(r); ; {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(w.t, err)
			text, err := io.ReadAll(archive)
			require.NoError(w.t, err)
			line := []string{h.FileInfo().Mode().String(), owner(h), h.Name}
			if h.Linkname != "" {
				line = append(line, "->", h.Linkname)
			}
			lines = append(lines, strings.Join(append(line, string(text)), " "))
		}
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

// sameLayers compares lists of files. The unpacked layers of an ordinary user are all the
// user's, so the owners of what is written again are not known then.
func sameLayers(t *testing.T, want, got []string) {
	t.Helper()
	if os.Geteuid() != 0 {
		owners := regexp.MustCompile(`^(\S+) \d+:\d+`)
		for i := range want {
			want[i] = owners.ReplaceAllString(want[i], "$1")
		}
		for i := range got {
			got[i] = owners.ReplaceAllString(got[i], "$1")
		}
	}
	assert.Equal(t, want, got)
}

func owner(h *tar.Header) string {
	return strconv.Itoa(h.Uid) + ":" + strconv.Itoa(h.Gid)
}

// copies are instructions, and the layers that come of them.
func copies() []copyCase {
	dir := []string{
		"drwxr-xr-x 0:0 x/", "-rw-r--r-- 0:0 x/c C", "drwxr-xr-x 0:0 x/sub/",
		"-rw-r--r-- 0:0 x/sub/d D",
	}
	const passwd = "COPY <<EOF /etc/passwd\nweb:x:7:8::/:/bin/sh\nEOF\n"
	return []copyCase{
		{"a file", "COPY a /x", []string{"-rw-r--r-- 0:0 x A"}},
		{
			"a file into a directory", "COPY a /x/",
			[]string{"drwxr-xr-x 0:0 x/", "-rw-r--r-- 0:0 x/a A"},
		},
		{
			"several", "COPY a b /x/",
			[]string{"drwxr-xr-x 0:0 x/", "-rw-r--r-- 0:0 x/a A", "-rw-r--r-- 0:0 x/b B"},
		},
		{"wildcards", "COPY [ab] /", []string{"-rw-r--r-- 0:0 a A", "-rw-r--r-- 0:0 b B"}},
		{"the content of a directory, without what is ignored", "COPY dir /x", dir},
		{
			"relative to the working directory", "WORKDIR /w\nCOPY a x",
			[]string{"drwxr-xr-x 0:0 w/", "drwxr-xr-x 0:0 w/", "-rw-r--r-- 0:0 w/x A"},
		},
		{
			"owner and mode", "COPY --chown=7:8 --chmod=0750 a /x",
			[]string{"-rwxr-x--- 7:8 x A"},
		},
		{
			"owner by name", passwd + "COPY --chown=web a /x",
			[]string{
				"drwxr-xr-x 0:0 etc/", "-rw-r--r-- 0:0 etc/passwd web:x:7:8::/:/bin/sh",
				"-rw-r--r-- 7:8 x A",
			},
		},
		{
			"a text of its own", "ARG who=you\nCOPY <<EOF /x\nhello $who\nEOF",
			[]string{"-rw-r--r-- 0:0 x hello you"},
		},
		{
			"into a directory that is there", "COPY dir /x\nCOPY a /x",
			append(slices.Clone(dir), "drwxr-xr-x 0:0 x/", "-rw-r--r-- 0:0 x/a A"),
		},
		{
			"into one unlike others", "COPY --chown=3:4 --chmod=1777 dir /x\nCOPY a /x/sub",
			[]string{
				"drwxr-xr-x 0:0 x/", "trwxrwxrwx 3:4 x/c C", "dtrwxrwxrwx 3:4 x/sub/",
				"trwxrwxrwx 3:4 x/sub/d D", "drwxr-xr-x 0:0 x/", "dtrwxrwxrwx 3:4 x/sub/",
				"-rw-r--r-- 0:0 x/sub/a A",
			},
		},
		{"into a working directory that is there", "COPY dir /x\nWORKDIR /x", dir},
		{
			"from another stage", "COPY dir/sub /x\nFROM scratch\nCOPY --from=0 /x/d /y",
			[]string{"-rw-r--r-- 0:0 y D"},
		},
	}
}

type copyCase struct {
	name, dockerfile string
	want             []string
}

func TestCopy(t *testing.T) {
	files := map[string]string{
		"a": "A", "b": "B", "dir/c": "C", "dir/sub/d": "D", "dir/skip": "x",
		".dockerignore": "**/skip\n",
	}
	for _, tt := range copies() {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorkshop(t, files)
			sameLayers(t, slices.Clone(tt.want), w.list(w.build("FROM scratch\n"+tt.dockerfile)))
		})
	}
}

// A link on the way to where a file is copied is followed, within the image.
func TestCopyThroughLinks(t *testing.T) {
	w := newWorkshop(t, map[string]string{"a": "A", "root/usr/bin/x": "X"})
	require.NoError(t, os.Symlink("usr/bin", filepath.Join(w.dir, "root/bin")))
	require.NoError(t, os.Symlink("../../../..", filepath.Join(w.dir, "root/up")))
	img := w.build("FROM scratch\nCOPY root /\nCOPY a /bin/\nCOPY a /up/up/usr/b\nWORKDIR /bin/new")
	lines := w.list(img)
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasSuffix(l, "usr/") })
	sameLayers(t, []string{
		"drwxr-xr-x 0:0 usr/bin/", "-rw-r--r-- 0:0 usr/bin/a A", "-rw-r--r-- 0:0 usr/b A",
		"drwxr-xr-x 0:0 usr/bin/", "drwxr-xr-x 0:0 usr/bin/new/",
	}, lines[len(lines)-5:])
}

// A link out of the directory that is built from leads to nothing; what is copied is the
// link.
func TestCopyStaysInside(t *testing.T) {
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("S"), 0o600))
	w := newWorkshop(t, map[string]string{"dir/a": "A"})
	for name, target := range map[string]string{
		"file": filepath.Join(outside, "secret"), "to": outside, "up": "../../../../../etc",
		"dir/near": "a",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(w.dir, name)))
	}
	for source := range strings.FieldsSeq("file to/secret to/* up/passwd dir/../../up/passwd") {
		_, err := w.try("FROM scratch\nCOPY " + source + " /x")
		require.Error(t, err, source)
		assert.Regexp(t, "no such file|no file is like that", err.Error(), source)
	}
	assert.Equal(t, []string{
		"drwxr-xr-x 0:0 dir/", "-rw-r--r-- 0:0 dir/a A", "Lrwxrwxrwx 0:0 dir/near -> a",
		"Lrwxrwxrwx 0:0 file -> " + outside + "/secret", "Lrwxrwxrwx 0:0 to -> " + outside,
		"Lrwxrwxrwx 0:0 up -> ../../../../../etc",
	}, w.list(w.build("FROM scratch\nCOPY . /")))
	assert.Equal(t, []string{"-rw-r--r-- 0:0 x A"},
		w.list(w.build("FROM scratch\nCOPY dir/near /x")))
}

func TestAddUnpacks(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range []*tar.Header{
		{Name: "in/a", Mode: 0o640, Size: 1, Uid: 5, Gid: 6, Typeflag: tar.TypeReg},
		{Name: "../../out", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd", Mode: 0o777},
		{Name: "hard", Typeflag: tar.TypeLink, Linkname: "in/a", Mode: 0o640},
	} {
		require.NoError(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write([]byte("A"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	shop := newWorkshop(t, map[string]string{"a.tar": archive.String(), "plain": "no tar"})
	got := shop.list(shop.build("FROM scratch\nADD a.tar plain /x/"))
	assert.Equal(t, []string{
		"drwxr-xr-x 0:0 x/", "drwxr-xr-x 0:0 x/in/", "-rw-r----- 5:6 x/in/a A",
		"Lrwxrwxrwx 0:0 x/out -> /etc/passwd", "-rw-r----- 0:0 x/hard -> x/in/a",
		"-rw-r--r-- 0:0 x/plain no tar",
	}, got)
}

func TestConfiguration(t *testing.T) {
	w := newWorkshop(t, nil)
	w.b.Args = map[string]string{"who": "me", "unknown": "x"}
	c := w.build(`
ARG base=scratch
FROM $base AS first
ARG who=you
ENV A=1 B="$who is ${who:-nobody}" C=${A}2
LABEL of=$who
WORKDIR /srv
WORKDIR www
USER web:web
EXPOSE 80 53/udp 8000-8001
VOLUME /data ["/more"]
CMD echo $A
ENTRYPOINT ["/bin/x", "$A"]
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=5s --retries=3 CMD true
SHELL ["/bin/bash", "-c"]
FROM first
CMD hello
`).Config.Config
	assert.Equal(t, []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"A=1", "B=me is me", "C=2", // what one instruction sets, the next one sees
	}, c.Env)
	assert.Equal(t, map[string]string{"of": "me"}, c.Labels)
	assert.Equal(t, "/srv/www", c.WorkingDir)
	assert.Equal(t, "web:web", c.User)
	assert.Len(t, c.ExposedPorts, 4)
	assert.Contains(t, c.ExposedPorts, "8001/tcp")
	assert.Equal(t, "SIGUSR1", c.StopSignal)
	assert.Equal(t, []string{"/bin/x", "$A"}, c.Entrypoint)
	assert.Equal(t, []string{"CMD-SHELL", "true"}, c.Healthcheck.Test)
	assert.Equal(t, 5*time.Second, c.Healthcheck.Interval)
	assert.Contains(t, w.out.String(), "no ARG asks for --build-arg unknown")
}

// What stands in ONBUILD is done by who builds on the image, once.
func TestTriggers(t *testing.T) {
	w := newWorkshop(t, map[string]string{"a": "A"})
	w.name("base-of-others")
	base := w.build("FROM scratch\nARG who=you\nONBUILD COPY a /from-onbuild\nONBUILD ENV X=1")
	assert.Empty(t, base.Layers())
	assert.Len(t, base.Config.Config.OnBuild, 2)
	w.name("child")
	child := w.build("FROM base-of-others\nENV Y=2$X")
	assert.Equal(t, []string{"-rw-r--r-- 0:0 from-onbuild A"}, w.list(child))
	assert.Contains(t, child.Config.Config.Env, "Y=21")
	assert.Empty(t, child.Config.Config.OnBuild)
}

// With SOURCE_DATE_EPOCH the same files give the same image, byte by byte, wherever and
// whenever it is built.
func TestReproducible(t *testing.T) {
	var ids []string
	for range 2 {
		w := newWorkshop(t, map[string]string{"dir/a": "A", "b": "B"})
		w.b.Epoch = time.Unix(1_000_000_000, 0)
		img := w.build("FROM scratch\nWORKDIR /w\nCOPY dir b ./\nCMD [\"x\"]")
		ids = append(ids, img.Descriptor.Digest.String())
		assert.Equal(t, w.b.Epoch.UTC(), img.Config.Created.UTC())
	}
	assert.Equal(t, ids[0], ids[1])
}

// A step is done again only if something has changed on which it depends.
func TestCache(t *testing.T) {
	w := newWorkshop(t, map[string]string{"a": "A", "b": "B"})
	const file = "FROM scratch\nCOPY a /a\nENV X=1\nCOPY b /b\n"
	first := w.build(file)
	assert.NotContains(t, w.out.String(), "cached")
	assert.Equal(t, first.ID(), w.build(file).ID())
	assert.Equal(t, 3, strings.Count(w.out.String(), "cached"))
	// The content counts, not the time.
	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(w.dir, "a"), later, later))
	w.build(file)
	assert.Equal(t, 3, strings.Count(w.out.String(), "cached"))
	w.write("b", "other")
	w.build(file)
	assert.Equal(t, 2, strings.Count(w.out.String(), "cached"))
	w.write("a", "other")
	w.build(file)
	assert.NotContains(t, w.out.String(), "cached")
	w.b.NoCache = true
	w.build(file)
	assert.NotContains(t, w.out.String(), "cached")
}

// Stages that the target does not need are not built.
func TestTarget(t *testing.T) {
	const file = "FROM scratch AS one\nCOPY a /one\nFROM scratch AS two\nRUN never\n" +
		"FROM one AS three\nCOPY a /three\n"
	w := newWorkshop(t, map[string]string{"a": "A"})
	assert.Len(t, w.build(file).Layers(), 2)
	w.b.Target = "one"
	assert.Len(t, w.build(file).Layers(), 1)
	w.b.Target = "two"
	_, err := w.try(file)
	require.ErrorIs(t, err, errRun)
	w.b.Target = "four"
	_, err = w.try(file)
	require.ErrorContains(t, err, `there is no stage "four"`)
}

func TestRefused(t *testing.T) {
	tests := []struct{ dockerfile, want string }{
		{"", "file with no instructions"},
		{"RUN x", "no build stage in current context"},
		{"FROM scratch\nCOPPY a b", "line 2: there is no instruction COPPY"},
		{"FROM scratch\nCOPY nix /x", "line 2: COPY nix /x: nix: no such file"},
		{"FROM scratch\nCOPY ../../etc/passwd /x", "no such file"},
		{"FROM scratch\nCOPY *.none /x", "no file is like that"},
		{"FROM scratch\nCOPY a b /x", "several sources need a directory"},
		{"FROM scratch\nCOPY --link a /x", "COPY --link is not supported"},
		{"FROM scratch\nCOPY --chmod=rwx a /x", "expected octal digits"},
		{"FROM scratch\nCOPY --chown=web a /x", `user "web": the image has no /etc/passwd`},
		{"FROM scratch\nCOPY --from=nix a /x", `no image "nix" here`},
		{"FROM scratch\nCOPY .wh.a /x/", "such a name says that a file is gone"},
		{"FROM scratch\nADD https://x/y /x", "something that is not local"},
		{"FROM scratch\nRUN --mount=type=cache,target=/x true", "RUN --mount is not supported"},
		{"FROM scratch\nCOPY a /f\nCOPY a /f/g", "/f is not a directory"},
		{"FROM scratch\nSTOPSIGNAL SIGNIX", "there is no such signal"},
		{"FROM scratch\nEXPOSE 0", "expected PORT[-PORT][/tcp|udp]"},
		{"FROM nix", `line 1: FROM nix: no image "nix" here`},
		{"FROM --platform=linux/none scratch", "only linux/"},
		{"FROM $nothing", "line 1"},
	}
	w := newWorkshop(t, map[string]string{"a": "A", "b": "B", ".wh.a": ""})
	w.name("never")
	for _, tt := range tests {
		t.Run(tt.dockerfile, func(t *testing.T) {
			_, err := w.try(tt.dockerfile)
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "\n")
			_, err = w.b.Images.Resolve("never")
			require.ErrorIs(t, err, image.ErrNotFound)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FROM scratch\nRUN <<EOF\nx\nEOF\nCOPY --from=0 a b")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = build.Parse([]byte(text)) // whatever it says, it says it and lives
	})
}

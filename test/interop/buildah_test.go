package interop

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/internal/need"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// buildah runs the runtime itself, without a monitor.
type buildah struct {
	global, perRun []string
	working        string // a container to run in
}

// Buildah: what runs is a step of a build.
func TestBuildah(t *testing.T) {
	m := prepare(t)
	need.Tool(t, "buildah", "buildah")
	l := before(t, "buildah-*")
	dir := base + "/buildah"
	b := buildah{
		global: []string{
			"--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "overlay",
		},
		perRun: []string{"--runtime", m.runtime, "--isolation", "oci", "--network", "none"},
	}
	b.ok(t, "from", "--name", "empty", "scratch")
	b.ok(t, "add", "empty", m.archive, "/")
	b.ok(t, "commit", "empty", image)
	b.working = b.from(t)
	all := b.cases(t)
	all["nothing left"] = func(t *testing.T) {
		b.ok(t, "rm", "--all")
		b.ok(t, "rmi", "--all", "--force")
		l.check(t)
	}
	all.try(t, "buildah")
}

// from makes a working container.
func (b buildah) from(t *testing.T, flags ...string) string {
	t.Helper()
	words := append(append([]string{"from", "--network", "none"}, flags...), image)
	return b.ok(t, words...)
}

// words adds to a command line what all have.
func (b buildah) words(args []string) []string {
	words := append(append([]string{}, b.global...), args[0])
	if args[0] == "run" || args[0] == "build" {
		words = append(words, b.perRun...)
	}
	return append(words, args[1:]...)
}

// given runs buildah with something to read.
func (b buildah) given(stdin string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	cmd := command(ctx, "/usr/bin/buildah", b.words(args)...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(cmd)
}

// ok runs a command that has to succeed and returns what it prints.
func (b buildah) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := b.given("", args...)
	require.NoError(t, r.failure())
	return strings.TrimSpace(r.out)
}

// shell runs a shell in a working container; the last word is its command, the others are
// flags.
func (b buildah) shell(in string, flagsAndScript ...string) result {
	return b.given("", b.shellWords(in, flagsAndScript...)...)
}

// shellWords is the command line of shell.
func (b buildah) shellWords(in string, flagsAndScript ...string) []string {
	last := len(flagsAndScript) - 1
	words := append([]string{"run"}, flagsAndScript[:last]...)
	return append(words, in, "--", "sh", "-c", flagsAndScript[last])
}

// cases are what buildah is tried with.
func (b buildah) cases(t *testing.T) cases {
	t.Helper()
	return cases{
		"run": func(t *testing.T) {
			r := b.shell(b.working, "--env", "A=b", "--workingdir", "/tmp",
				"echo $$ $A; pwd; echo wrong >&2")
			require.NoError(t, r.failure())
			assert.Equal(t, "1 b\n/tmp\n", r.out)
			assert.Equal(t, "wrong\n", r.err)
		},
		"exit status": func(t *testing.T) {
			assert.Equal(t, 7, b.shell(b.working, "exit 7").status)
			r := b.given("", "run", b.working, "--", "no-such-program")
			assert.NotZero(t, r.status)
			assert.Contains(t, r.err, `exec: "no-such-program": executable file not found in $PATH`)
			r = b.given("", "run", b.working, "--", "/etc/passwd")
			assert.NotZero(t, r.status)
			assert.Contains(t, r.err, "permission denied")
		},
		"stdin": func(t *testing.T) {
			text := strings.Repeat("0123456789abcde\n", 1<<10)
			r := b.given(text, "run", b.working, "--", "cat")
			require.NoError(t, r.failure())
			assert.Equal(t, text, r.out)
		},
		"terminal": func(t *testing.T) {
			words := b.words(b.shellWords(b.working, "--terminal", question))
			term := inTerminal(t, "/usr/bin/buildah", words...)
			term.shows("/dev/")
			term.types("this")
			term.shows("got this")
			assert.Equal(t, 3, term.status(), term.text())
		},
		"volumes": func(t *testing.T) {
			dir := shared(t)
			r := b.shell(b.working, "--volume", dir+":/data", "--volume", dir+":/fixed:ro",
				"echo text > /data/file; cat /fixed/file; touch /fixed/new")
			assert.NotZero(t, r.status)
			assert.Equal(t, "text\n", r.out)
			assert.Contains(t, r.err, "read-only file system")
			assert.FileExists(t, filepath.Join(dir, "file"))
		},
		"tmpfs": func(t *testing.T) {
			r := b.shell(b.working, "--mount", "type=tmpfs,target=/scratch,tmpfs-size=1048576",
				"grep ' /scratch ' /proc/self/mountinfo")
			require.NoError(t, r.failure())
			assert.Contains(t, r.out, "size=1024k")
		},
		"capabilities": func(t *testing.T) {
			r := b.shell(b.working, "--cap-drop", "CAP_CHOWN", "--cap-add", "CAP_NET_ADMIN",
				"grep CapEff /proc/self/status; chown 1 /etc/passwd")
			assert.NotZero(t, r.status)
			usual := b.shell(b.working, "grep CapEff /proc/self/status")
			require.NoError(t, usual.failure())
			assert.NotEqual(t, usual.out, r.out)
		},
		"seccomp": func(t *testing.T) {
			r := b.shell(b.working, "grep Seccomp: /proc/self/status")
			assert.Equal(t, "Seccomp:\t2\n", r.out, r.err)
		},
		"user": func(t *testing.T) {
			r := b.shell(b.working, "--user", "user", "id -u; id -g; touch /etc/new")
			assert.NotZero(t, r.status)
			assert.Equal(t, "1000\n1000\n", r.out)
		},
		"user namespace": func(t *testing.T) {
			in := b.from(t, "--userns-uid-map", "0:100000:65536",
				"--userns-gid-map", "0:200000:65536")
			r := b.shell(in, "cat /proc/self/uid_map; id -u")
			require.NoError(t, r.failure())
			assert.Equal(t, []string{"0", "100000", "65536", "0"}, strings.Fields(r.out))
		},
		"shared namespaces": func(t *testing.T) {
			want, err := os.Readlink("/proc/self/ns/net")
			require.NoError(t, err)
			r := b.shell(b.working, "--network", "host", "readlink /proc/self/ns/net")
			assert.Equal(t, want+"\n", r.out, r.err)
		},
		"limits": func(t *testing.T) {
			in := b.from(t, "--memory", "64m", "--cpu-shares", "256", "--ulimit", "nproc=100:200")
			r := b.shell(in, "cat /proc/self/limits; "+
				"cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes; true")
			require.NoError(t, r.failure())
			assert.Regexp(t, `Max processes +100 +200 `, r.out)
			assert.Contains(t, r.out, "67108864")
		},
		"build": b.build,
	}
}

// build: each RUN is a container.
func (b buildah) build(t *testing.T) {
	dir := shared(t)
	file := "FROM " + image + "\nRUN echo built > /built\nUSER 1000\nRUN id -u > /tmp/who\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o600))
	b.ok(t, "build", "--tag", "localhost/built", dir)
	in := b.ok(t, "from", "--network", "none", "localhost/built")
	r := b.shell(in, "--user", "0", "cat /built /tmp/who")
	assert.Equal(t, "built\n1000\n", r.out, r.err)

	bad := "FROM " + image + "\nRUN exit 9\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(bad), 0o600))
	assert.NotZero(t, b.given("", "build", dir).status, "a RUN that fails")
}

package main_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sum is a checksum of a file.
func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return sha256.Sum256(text)
}

// CVE-2019-5736: a process of the container waits until the runtime comes in, opens the
// file that it executes, and overwrites it once it is free: the next one to use the
// runtime, as root of the host, executes what the container has written. The runtime
// is made to stay by having it execute itself, as /proc/self/exe.
func TestEscapeOverwrite(t *testing.T) {
	for _, test := range []struct{ name, command string }{
		{"exec", "true"},
		{"exec of itself", "/proc/self/exe"},
		{"exec of a script", "/data/script"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := attacks(t, "exe")
			e.grant("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE")
			data := t.TempDir()
			script := filepath.Join(data, "script")
			require.NoError(t, os.WriteFile(script, []byte("#!/proc/self/exe\n"), 0o755))
			e.config.Mounts = append(e.config.Mounts, specs.Mount{
				Destination: "/data", Type: "bind", Source: data, Options: []string{"bind"},
			})
			before := sum(t, e.minirun)
			out := e.detach()
			out.line("watch", pause)
			got := out.line("overwrite", func() { e.do("exec", "web", test.command) })
			// The runtime's file as a mount is read-only; as a copy in memory it is sealed.
			assert.Contains(t, []string{"EROFS", "EPERM"}, got)
			assert.Equal(t, before, sum(t, e.minirun))
		})
	}
}

// The same with an image whose command is the runtime itself: a container that shares its
// processes with the attacker's executes it once more, and knows nothing of its making.
func TestEscapeEntryPoint(t *testing.T) {
	data := t.TempDir()
	for name, text := range map[string]string{
		"script": "#!/proc/self/exe\n", "init": "#!/proc/self/exe init\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(data, name), []byte(text), 0o755))
	}
	for _, command := range [][]string{
		{"/data/script"},
		{"/data/init"},
		{"/proc/self/exe", "init", "3"},
		{"/proc/self/exe", "init", "0"},
	} {
		watcher := attacks(t, "exe")
		watcher.grant("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE")
		before := sum(t, watcher.minirun)
		out := watcher.detach()
		out.line("watch", pause)
		e := newEngine(t, command...)
		e.minirun = watcher.minirun
		pid := pidIn(t, filepath.Join(watcher.bundle, "pid"))
		for i, n := range e.config.Linux.Namespaces {
			if n.Type == specs.PIDNamespace {
				e.config.Linux.Namespaces[i].Path = "/proc/" + pid + "/ns/pid"
			}
		}
		e.config.Mounts = append(e.config.Mounts, specs.Mount{
			Destination: "/data", Type: "bind", Source: data, Options: []string{"bind"},
		})
		got := out.line("overwrite", func() {
			r := e.run()
			assert.NotZero(t, r.status, command)
			assert.NotContains(t, r.err, "panic", command)
			e.empty()
		})
		assert.Contains(t, []string{"EROFS", "EPERM"}, got, command)
		assert.Equal(t, before, sum(t, watcher.minirun), command)
	}
}

// The same attack succeeds against a runtime that enters as its own file. So the tests
// above can fail.
func TestOverwriteWorksOnTheNaive(t *testing.T) {
	need.Sandbox(t)
	e := attacks(t, "exe")
	e.grant("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE")
	out := e.detach()
	path, err := attacker()
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	naive := filepath.Join(t.TempDir(), "naive")
	require.NoError(t, os.WriteFile(naive, text, 0o755))
	pid, err := os.ReadFile(filepath.Join(e.bundle, "pid"))
	require.NoError(t, err)
	out.line("watch", pause)
	got := out.line("overwrite", func() {
		// It may have been overwritten already, and then cannot be executed.
		_ = exec.CommandContext(t.Context(), naive, "naive", string(pid), "/proc/self/exe").Run()
	})
	assert.Equal(t, "done", got)
	after, err := os.ReadFile(naive)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(after), "attacked"))
}

// CVE-2016-9962: a process that comes in by exec is the runtime for a moment, with what
// that has open. Nobody in the container takes hold of it before it is the command.
func TestEscapeTrace(t *testing.T) {
	e := attacks(t, "trace")
	out := e.detach()
	out.line("watch", pause)
	got := out.line("attach", func() { e.do("exec", "web", "true") })
	assert.Equal(t, "EPERM", got)

	// With the right to trace anything it succeeds, so it is a real attempt.
	e = attacks(t, "trace")
	e.grant("CAP_SYS_PTRACE")
	out = e.detach()
	out.line("watch", pause)
	assert.Equal(t, "done", out.line("attach", func() { e.do("exec", "web", "true") }))
}

// CVE-2024-21626: a directory of the host's that somebody left open is neither in the
// container nor a working directory; what is kept on purpose is a way to it.
func TestEscapeOpenFiles(t *testing.T) {
	host, err := os.Open("/")
	require.NoError(t, err)
	defer host.Close()
	with := func(e *engine, verb ...string) result {
		e.write()
		cmd := e.command(verb...)
		cmd.ExtraFiles = []*os.File{host}
		return e.finish(cmd)
	}
	e := attacks(t, "through", "3", "proc/1/root/etc")
	assert.Equal(t, "open: EBADF\n", with(e, "run", "web").out)
	e = attacks(t, "through", "3", "etc/passwd")
	assert.Equal(t, "open: done\n", with(e, "run", "--preserve-fds", "1", "web").out,
		"a file that is kept is a way out: this is how the test can fail")

	for _, cwd := range []string{"/proc/self/fd/3", "/proc/self/fd/3/etc", "/link"} {
		e = attacks(t, "files")
		image := t.TempDir()
		copyRoot(t, e.config.Root.Path, image)
		require.NoError(t, os.Symlink("/proc/self/fd/3", filepath.Join(image, "link")))
		e.config.Root.Path, e.config.Process.Cwd = image, cwd
		for _, verb := range [][]string{{"run", "web"}, {"run", "--preserve-fds", "1", "web"}} {
			r := with(e, verb...)
			assert.Equal(t, 125, r.status, cwd)
			assert.Contains(t, r.err, "too many levels of symbolic links", cwd)
			e.empty()
		}
		e.config.Process.Args, e.config.Process.Cwd = []string{"/attack", "wait"}, "/"
		e.begin()
		assert.NotZero(t, with(e, "exec", "--cwd", cwd, "web", "/attack", "files").status, cwd)
		r := with(e, "exec", "--preserve-fds", "1", "--cwd", cwd, "web", "/attack", "files")
		assert.Contains(t, r.err, "it is outside of the container's root", cwd)
	}
}

// Nobody who is executed for a container has a file that he was not given: its command,
// what exec adds, and hooks on both sides.
func TestOpenFiles(t *testing.T) {
	path, err := attacker()
	require.NoError(t, err)
	e := attacks(t, "files")
	said := filepath.Join(t.TempDir(), "said")
	require.NoError(t, os.WriteFile(said, nil, 0o666))
	hook := filepath.Join(t.TempDir(), "hook")
	script := fmt.Sprintf("#!/bin/sh\n%s files >> %s\n", path, said)
	require.NoError(t, os.WriteFile(hook, []byte(script), 0o755))
	hooks := []specs.Hook{{Path: hook}}
	e.config.Hooks = &specs.Hooks{
		CreateRuntime: hooks, CreateContainer: hooks, Poststart: hooks, Poststop: hooks,
	}
	secret, err := os.Open("/")
	require.NoError(t, err)
	defer secret.Close()
	e.write()
	cmd := e.command("run", "web")
	cmd.ExtraFiles = []*os.File{secret, secret}
	r := e.finish(cmd)
	require.Zero(t, r.status, r.err)
	assert.Equal(t, "012", numbers(r.out))
	text, err := os.ReadFile(said)
	require.NoError(t, err)
	assert.Equal(t, "012012012012", numbers(string(text)))

	e = attacks(t, "wait")
	e.begin()
	cmd = e.command("exec", "web", "/attack", "files")
	cmd.ExtraFiles = []*os.File{secret, secret}
	assert.Equal(t, "012", numbers(e.finish(cmd).out))
	cmd = e.command("exec", "--preserve-fds", "2", "web", "/attack", "files")
	cmd.ExtraFiles = []*os.File{secret, secret}
	assert.Equal(t, "01234", numbers(e.finish(cmd).out))
}

// numbers are the first words of all lines.
func numbers(text string) string {
	var all strings.Builder
	for line := range strings.Lines(text) {
		number, _, _ := strings.Cut(line, " ")
		all.WriteString(number)
	}
	return all.String()
}

// A caller who ignores and blocks signals, and has a limit of open files and a slack of
// timers of its own, hands on the limit and the slack and nothing else.
func TestSignalsAreClean(t *testing.T) {
	busybox := need.Tool(t, "busybox", "busybox-static")
	e := newEngine(t, "/busybox", "sleep", "1000")
	e.config.Process.Rlimits = nil
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/busybox", Type: "bind", Source: busybox, Options: []string{"bind", "ro"},
	})
	path, err := attacker()
	require.NoError(t, err)
	e.write()
	file := filepath.Join(e.bundle, "pid")
	for _, verb := range [][]string{
		{"run", "--detach", "--pid-file", file, "web"},
		{"exec", "--detach", "--pid-file", file, "web", "/busybox", "sleep", "1000"},
	} {
		cmd := e.command(verb...)
		cmd.Path, cmd.Args = path, append([]string{path, "deaf"}, cmd.Args...)
		r := e.finish(cmd)
		require.Zero(t, r.status, r.err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		pid, err := strconv.Atoi(string(text))
		require.NoError(t, err)
		for _, name := range []string{"SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"} {
			assert.Equal(t, "0000000000000000", field(t, pid, name), name)
		}
		assert.Regexp(t, `Max open files +777 `, proc(t, pid, "limits"))
		assert.Equal(t, "77777\n", proc(t, pid, "timerslack_ns"))
	}
	// The caller was what it is meant to be.
	cmd := exec.CommandContext(t.Context(), path, "deaf", busybox, "cat", "/proc/self/status")
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.NotContains(t, string(out), "SigBlk:\t0000000000000000")
	assert.NotContains(t, string(out), "SigIgn:\t0000000000000000")
}

// The groups of who calls the runtime are not the container's: CVE-2022-2995's kind.
func TestEscapeGroups(t *testing.T) {
	const group = 4242
	e := newEngine(t, "cat", "/data/file")
	data := t.TempDir()
	file := filepath.Join(data, "file")
	require.NoError(t, os.WriteFile(file, []byte("secret\n"), 0o040))
	if err := os.Chown(file, 0, group); err != nil {
		// The user namespace of an ordinary user has one group, and cannot give up
		// others; which is what keeps a file from them.
		require.ErrorIs(t, err, syscall.EINVAL)
		return
	}
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/data", Type: "bind", Source: data, Options: []string{"bind"},
	})
	e.config.Process.User = specs.User{UID: 1000, GID: 1000}
	require.NoError(t, os.Chmod(data, 0o755))
	with := func() result {
		e.write()
		cmd := e.command("run", "web")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Groups: []uint32{group}},
		}
		return e.finish(cmd)
	}
	r := with()
	assert.Equal(t, 1, r.status)
	assert.Empty(t, r.out)
	assert.Contains(t, strings.ToLower(r.err), "permission denied")
	e.config.Process.User.AdditionalGids = []uint32{group}
	assert.Equal(t, "secret\n", with().out, "a group that it is given is a way to the file")
}

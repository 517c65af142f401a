//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// The program has the files it was given, in their order, its arguments and its
// environment; of this process's files, whatever their numbers, it has none.
func TestFiles(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	stray, err := unix.Dup(1) // open across execve(2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(stray)) })
	var given []*os.File
	for range 4 {
		file, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, file.Close()) })
		given = append([]*os.File{file}, given...)
	}
	for _, staged := range []uintptr{0, unix.CLONE_NEWTIME} {
		s := mustStart(t, Child{
			Args: []string{"hold", "a b", ""}, Env: []string{"X=1", "Y="}, Files: given,
			New: staged,
		})
		require.Equal(t, []string{"hold", "a b", ""}, s.Arguments)
		require.Equal(t, []string{"X=1", "Y="}, s.Environ)
		require.Len(t, s.Files, 3+len(given), s.Files)
		for i, file := range given {
			require.Equal(t, fmt.Sprint(3+i, " ", file.Name()), s.Files[3+i])
		}
		require.Equal(t, os.Getpid(), s.Parent)
	}
}

// What cannot be started is named, and leaves nothing.
func TestErrors(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("words"), 0o755))
	exe, err := os.Open(text)
	require.NoError(t, err)
	defer exe.Close()
	for _, staged := range []uintptr{0, unix.CLONE_NEWTIME} {
		_, err = Start(&Child{Exe: exe, Args: []string{"x"}, New: all | staged})
		require.EqualError(t, err, "execute "+text+": exec format error")
	}

	_, err = Start(&Child{Exe: exe})
	require.EqualError(t, err, "start a stage: no program to execute")
	_, err = Start(&Child{Exe: exe, Args: []string{"x"}, Join: all})
	require.EqualError(t, err, "start a stage: no process whose namespaces to join")
	_, err = Start(&Child{Exe: exe, Args: []string{"a\x00b"}})
	require.EqualError(t, err, "arguments: invalid argument")
	_, err = Start(&Child{Exe: exe, Args: []string{"x"}, Tasks: []*os.File{exe}})
	require.EqualError(t, err, "write 0 to "+text+": bad file descriptor")
	_, err = Start(&Child{Exe: exe, Args: []string{"x"}, Namespaces: []Namespace{{0x7, exe}}})
	require.EqualError(t, err, "join "+text+": 0x7 is no kind of namespace")
	_, err = Start(&Child{
		Exe: exe, Args: []string{"x"}, Namespaces: []Namespace{{unix.CLONE_NEWNET, exe}},
	})
	require.EqualError(t, err, "join the namespace CLONE_NEWNET "+text+": invalid argument")
}

// A process that has ended cannot be joined, and 1 and -1 are never processes to join.
func TestJoinTheDead(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	s, err := start(Child{Args: []string{"hold"}, New: all})
	require.NoError(t, err)
	target, err := Pidfd(s.pid)
	require.NoError(t, err)
	defer target.Close()
	require.NoError(t, s.end())
	_, err = start(Child{Args: []string{"probe"}, Target: target, Join: all})
	require.ErrorContains(t, err, "join the namespaces CLONE_NEWNS|")
	require.ErrorIs(t, err, unix.ESRCH)
	for _, pid := range []int{1, 0, -1} {
		_, err = Pidfd(pid)
		require.Error(t, err)
	}
}

// Many at once, under a garbage collection that never ends: the processes are copies of
// one that was stopped anywhere.
func TestUnderGarbageCollection(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	stop := make(chan struct{})
	var others, starters sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = make([]byte, 1<<16)
				runtime.GC()
			}
		}
	})
	exe, err := os.Open(truth(t))
	require.NoError(t, err)
	defer exe.Close()
	failed := make(chan error, 100)
	for range 4 {
		starters.Go(func() {
			for range 25 {
				pid, err := Start(&Child{Exe: exe, Args: []string{"true"}, New: unix.CLONE_NEWTIME})
				if err == nil {
					_, err = wait(pid)
				}
				if err != nil {
					failed <- err
				}
			}
		})
	}
	starters.Wait()
	close(stop)
	others.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
}

// truth is a small program that ends at once.
func truth(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("true")
	require.NoError(t, err)
	return path
}

// A cgroup is joined before anything else: the cgroup namespace begins there. Here are
// both ways, where the machine has both versions.
func TestCgroup(t *testing.T) {
	need.Sandbox(t)
	need.Cgroup(t, "pids")
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	for _, h := range hierarchies {
		if h.Version == 1 && !h.Has("pids") {
			continue
		}
		t.Run(fmt.Sprint("version ", h.Version), func(t *testing.T) {
			nothingLeft(t)
			dir := filepath.Join(h.Mount, "labstage")
			require.NoError(t, os.Mkdir(dir, 0o755))
			t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
			c := Child{Args: []string{"hold"}}
			if h.Version == 2 {
				c.Cgroup = openFor(t, dir, os.O_RDONLY)
			} else {
				c.Tasks = []*os.File{openFor(t, filepath.Join(dir, "tasks"), os.O_WRONLY)}
			}
			s := mustStart(t, c)
			require.Contains(t, s.Cgroups, "/labstage\n")
			inside, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintln(s.pid), string(inside))

			for _, staged := range []uintptr{0, unix.CLONE_NEWTIME} {
				c.New = unix.CLONE_NEWCGROUP | unix.CLONE_NEWPID | staged
				apart := mustStart(t, c)
				require.NotContains(t, apart.Cgroups, "labstage")
			}
		})
	}
}

func openFor(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, flags, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

// The program cannot be overwritten through /proc/PID/exe, neither while it runs nor by
// whoever keeps that open until it has ended: CVE-2019-5736.
func TestSelfIsReadOnly(t *testing.T) {
	nothingLeft(t)
	for name, open := range map[string]func() (*os.File, error){
		"mount": mountSelf, "copy": copySelf,
	} {
		t.Run(name, func(t *testing.T) {
			exe, err := open()
			if name == "mount" && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL)) {
				mountedElsewhere(t)
				return
			}
			require.NoError(t, err)
			defer exe.Close()
			notWritable(t, exe)
		})
	}
}

// notWritable starts a program and tries to write to its file.
func notWritable(t *testing.T, exe *os.File) {
	t.Helper()
	in, stdin, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	out, stdout, err := os.Pipe()
	require.NoError(t, err)
	pid, err := Start(&Child{
		Exe: exe, Args: []string{"hold"}, Files: []*os.File{in, stdout, os.Stderr},
	})
	require.NoError(t, errors.Join(err, stdout.Close()))
	_, err = out.Read(make([]byte, 1)) // until it says something it may still be us
	require.NoError(t, err)
	kept, err := os.Open(fmt.Sprintf("/proc/%d/exe", pid))
	require.NoError(t, err)
	defer kept.Close()
	require.Error(t, overwrite(fmt.Sprintf("/proc/%d/exe", pid)))
	require.NoError(t, stdin.Close())
	_, err = wait(pid)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, errors.Join(err, out.Close()))
	err = overwrite(fmt.Sprintf("/proc/self/fd/%d", kept.Fd()))
	if errors.Is(err, unix.ETXTBSY) { // this test runs from the same file
		var fs unix.Statfs_t
		require.NoError(t, unix.Fstatfs(int(kept.Fd()), &fs))
		require.NotZero(t, fs.Flags&unix.ST_RDONLY)
		return
	}
	require.ErrorIs(t, err, unix.EPERM)
}

// overwrite writes one byte into a file.
func overwrite(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString("x")
	return errors.Join(err, file.Close())
}

// mountedElsewhere has a copy of this test, which the sandbox started from another mount
// namespace, run the test of the mount once more, where it was started from this one.
func mountedElsewhere(t *testing.T) {
	t.Helper()
	if !need.Look().Root || os.Getenv("AGAIN") != "" {
		return // who may not mount has the copy in memory
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestSelfIsReadOnly/mount",
		"-test.v")
	cmd.Env = append(os.Environ(), "AGAIN=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestSelfIsReadOnly/mount")
}

// BenchmarkStart is what a start costs in both ways.
func BenchmarkStart(b *testing.B) {
	exe, err := os.Open(truth(b))
	require.NoError(b, err)
	defer exe.Close()
	for name, flags := range map[string]uintptr{
		"plain": unix.CLONE_NEWPID, "staged": unix.CLONE_NEWPID | unix.CLONE_NEWTIME,
	} {
		b.Run(name, func(b *testing.B) {
			var spent []time.Duration
			for range b.N {
				begin := time.Now()
				pid, err := Start(&Child{Exe: exe, Args: []string{"true"}, New: flags})
				require.NoError(b, err)
				spent = append(spent, time.Since(begin))
				_, err = wait(pid)
				require.NoError(b, err)
			}
			slices.Sort(spent)
			b.ReportMetric(float64(spent[b.N/2].Microseconds()), "µs-median")
			b.ReportMetric(float64(spent[0].Microseconds()), "µs-least")
		})
	}
}

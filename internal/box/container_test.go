//go:build linux

package box_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// asPID1 makes a command PID 1 of new pid and mount namespaces. It runs in a
// throw-away host, so that its signals cannot leave that.
func asPID1(t testing.TB, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	need.Sandbox(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWNET,
	}
	return cmd
}

// ownProc is the script that mounts the new pid namespace's /proc.
const ownProc = "mount --make-rprivate /; mount -t proc proc /proc; "

func TestShellIsAGoodPID1(t *testing.T) {
	bin := applets(t)
	t.Run("it starts and ends without /proc being its own", func(t *testing.T) {
		require.NoError(t, asPID1(t, shell(t, bin, "true")).Run())
	})
	t.Run("it reaps orphans", func(t *testing.T) {
		out, err := asPID1(t, shell(t, bin, ownProc+"echo $$ $PPID; probe orphans 8")).Output()
		require.NoError(t, err)
		assert.Equal(t, "1 0\nreparented to 1\nzombies 0\n", string(out))
	})
	t.Run("its children have the default action of TERM", func(t *testing.T) {
		out, err := asPID1(t, shell(t, bin, "sleep 60 & kill $!; wait $!; echo $?")).Output()
		require.NoError(t, err)
		assert.Equal(t, "143\n", string(out))
	})
	t.Run("it kills all others and stays", func(t *testing.T) {
		script := ownProc + "sleep 60 & sleep 60 & kill -KILL --all; wait; ps | wc -l"
		out, err := asPID1(t, shell(t, bin, script)).Output()
		require.NoError(t, err)
		assert.Equal(t, "4\n", string(out), "the title, the shell, ps and wc")
	})
}

// pid_namespaces(7): PID 1 gets only the signals that it handles.
func TestPID1IgnoresWhatItDoesNotHandle(t *testing.T) {
	bin := applets(t)
	for _, applet := range []string{"sleep", "cat", "sh", "hog"} {
		t.Run(applet, func(t *testing.T) {
			cmd := exec.Command(filepath.Join(bin, applet))
			if applet == "sleep" || applet == "hog" {
				cmd.Args = append(cmd.Args, map[string]string{"sleep": "60", "hog": "1M"}[applet])
			}
			if applet == "hog" {
				cmd.Args = append(cmd.Args, "--hold")
			}
			_, err := cmd.StdinPipe() // Wait closes it.
			require.NoError(t, err)
			require.NoError(t, asPID1(t, cmd).Start())
			atRest(t, cmd.Process.Pid)
			for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
				require.NoError(t, cmd.Process.Signal(sig))
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				t.Fatalf("%s ended: %v", applet, err)
			case <-time.After(100 * time.Millisecond):
			}
			require.NoError(t, cmd.Process.Kill())
			assert.Error(t, <-ended)
		})
	}
}

// atRest waits until a process has come to where it waits for something: each of its
// threads sleeps, and none has run since it was looked at before.
func atRest(t *testing.T, pid int) {
	t.Helper()
	var before map[string]string
	require.Eventually(t, func() bool {
		now, asleep := threads(t, pid)
		rests := asleep && maps.Equal(now, before)
		before = now
		return rests
	}, 2*time.Minute, 10*time.Millisecond)
}

// threads tells how often each thread of a process has given up the processor, and
// whether all of them sleep.
func threads(t *testing.T, pid int) (switches map[string]string, asleep bool) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	require.NoError(t, err)
	switches = map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("State:\tS")) {
			return nil, false
		}
		_, switches[file], _ = strings.Cut(string(text), "voluntary_ctxt_switches:")
	}
	return switches, len(files) > 0
}

func TestMountAndUmount(t *testing.T) {
	need.Sandbox(t)
	bin, dir := applets(t), t.TempDir()
	script := ownProc + "cd " + dir + `; mkdir a b c; echo x > a/x
		mount --bind a b; cat b/x; mount -o remount,bind,ro b; touch b/y || echo read-only
		mount -t tmpfs -o size=1M,nosuid none c
		mount -t tmpfs | grep -c " on $PWD/c type tmpfs (.*nosuid.*size=1024k"
		df c | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2
		umount b c; mount | grep -c $PWD; mount a b; echo $?`
	cmd := asPID1(t, shell(t, bin, script))
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	assert.Equal(t, "x\nread-only\n1\n1024\n0\n2\n", string(out))
	assert.Contains(t, problems.String(), "touch: open b/y: read-only file system")
	assert.Contains(t, problems.String(), "mount: option -t TYPE is needed")
}

func TestNetwork(t *testing.T) {
	bin := applets(t)
	script := `ip link set lo up; ip addr add 10.7.7.1/24 dev lo
		ip route add 10.8.0.0/16 via 10.7.7.9
		ip addr show lo; ip route; ping -c 1 -W 1 10.7.7.1; echo $?; ping -c 1 10.9.9.9; echo $?
		ip addr add nonsense dev lo; echo $?; ip route add 10.8.0.0/16; echo $?
		ip route del 10.8.0.0/16; ip route | wc -l`
	out, err := asPID1(t, shell(t, bin, script)).Output()
	require.NoError(t, err)
	text := regexp.MustCompile(`time=[\d.]+`).ReplaceAllString(string(out), "time=T")
	for _, want := range []string{
		"1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 state UNKNOWN\n    link/loopback 00:00",
		"    inet 10.7.7.1/24 ", "10.8.0.0/16 via 10.7.7.9 dev lo\n",
		"64 bytes from 10.7.7.1: seq=0 ttl=64 time=T ms\n",
		"1 packets transmitted, 1 packets received, 0% packet loss\n0\n",
		"0 packets received, 0% packet loss\n1\n2\n2\n0\n",
	} {
		assert.Contains(t, text, want)
	}
}

func TestHostnameIsThatOfTheNamespace(t *testing.T) {
	before, err := os.Hostname()
	require.NoError(t, err)
	out, err := asPID1(t, shell(t, applets(t), "hostname sailor; hostname; uname -n")).Output()
	require.NoError(t, err)
	assert.Equal(t, "sailor\nsailor\n", string(out))
	after, err := os.Hostname()
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestPingHasAStatus(t *testing.T) {
	script := "ping -c 1 -W 0.2 127.0.0.1; echo $?"
	out, err := asPID1(t, shell(t, applets(t), script)).CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(out), "network is unreachable", "lo of a new namespace is down")
	assert.Contains(t, string(out), "\n1\n")
}

// chroot(2) does not hold a process that may call it; the kernel's own root of a
// mount namespace does.
func TestEscapeFromChroot(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"bin", "tmp"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, name), 0o755))
	}
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin/probe"), self, 0o755))
	// This test binary may need a loader and libraries.
	prepare := "mount --make-rprivate /; "
	for _, name := range []string{"/lib", "/lib64", "/usr"} {
		if target, err := os.Readlink(name); err == nil {
			require.NoError(t, os.Symlink(target, root+name))
		} else if _, err := os.Stat(name); err == nil {
			require.NoError(t, os.Mkdir(root+name, 0o755))
			prepare += "mount --bind " + name + " " + root + name + "; "
		}
	}
	escape := func(script string) string {
		out, err := asPID1(t, shell(t, applets(t), script)).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	out := escape(prepare + "chroot " + root + " /bin/probe escape-chroot")
	assert.Regexp(t, `^escaped: \d+ entries in /: `, out)
	assert.Equal(t, "contained\n", escape("probe escape-chroot"))
	left, err := os.ReadDir(filepath.Join(root, "tmp"))
	require.NoError(t, err)
	assert.Empty(t, left, "it leaves nothing")
}

// pidsCgroup makes a cgroup with the pids controller, which goes with the test.
func pidsCgroup(t *testing.T) string {
	t.Helper()
	need.Sandbox(t)
	need.Cgroup(t, "pids")
	dir := filepath.Join(need.Look().Cgroups.Controllers["pids"].Mount, "labbox")
	require.NoError(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() {
		gone := func() bool { return os.Remove(dir) == nil }
		require.Eventually(t, gone, 2*time.Minute, 5*time.Millisecond)
	})
	return dir
}

// limit sets the limit of a pids cgroup.
func limit(t *testing.T, dir string, n int) {
	t.Helper()
	text := strconv.Itoa(n)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pids.max"), []byte(text), 0))
}

func TestForkbombUnderAPidsLimit(t *testing.T) {
	dir, bin := pidsCgroup(t), applets(t)
	const script = "echo 0 > $1/cgroup.procs; exec probe forkbomb"
	for _, max := range []int{8, 12, 20, 32, 64} {
		t.Run(strconv.Itoa(max), func(t *testing.T) {
			limit(t, dir, max)
			for range 10 {
				out, err := shell(t, bin, script, "sh", dir).CombinedOutput()
				require.NoError(t, err, string(out))
				var n int
				format := "%d processes, then fork: resource temporarily unavailable\n"
				_, err = fmt.Sscanf(string(out), format, &n)
				require.NoError(t, err, string(out))
				assert.Equal(t, fmt.Sprintf(format, n), string(out), "one line, no traceback")
				assert.Less(t, n, max)
				// The program itself is at most a few tasks.
				assert.GreaterOrEqual(t, n, max-7)
				held, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
				require.NoError(t, err)
				assert.Empty(t, held, "it reaps all it made")
			}
		})
	}
}

// The shell itself goes on when a pids limit refuses it processes.
func TestShellSurvivesAPidsLimit(t *testing.T) {
	dir, bin := pidsCgroup(t), applets(t)
	limit(t, dir, 20)
	const script = `echo 0 > $1/cgroup.procs
		for i in $(seq 20); do sleep 0.1 & done 2> /dev/null; wait; echo on`
	for range 5 {
		out, err := shell(t, bin, script, "sh", dir).Output()
		require.NoError(t, err)
		assert.Equal(t, "on\n", string(out))
	}
}

// terminal is a shell at a terminal, with all it has shown.
type terminal struct {
	t     *testing.T
	tty   *os.File
	cmd   *exec.Cmd
	shown chan string
	text  string
}

// atTerminal starts the shell at a terminal of its own.
func atTerminal(t *testing.T) *terminal {
	t.Helper()
	bin := applets(t)
	cmd := exec.Command(filepath.Join(bin, "sh"))
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + bin, "TERM=xterm", "HOME=" + cmd.Dir}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 200})
	require.NoError(t, err)
	term := &terminal{t: t, tty: tty, cmd: cmd, shown: make(chan string, 100)}
	go func() {
		defer close(term.shown)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			if err != nil {
				return
			}
			term.shown <- string(buf[:n])
		}
	}()
	t.Cleanup(func() {
		_ = tty.Close()        // The shell may have ended
		_ = cmd.Process.Kill() // by itself, as some
		_ = cmd.Wait()         // of the tests want.
	})
	return term
}

// wait waits until the terminal shows a pattern and forgets what was before its end.
func (s *terminal) wait(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(2 * time.Minute)
	for {
		if at := re.FindStringIndex(s.text); at != nil {
			s.text = s.text[at[1]:]
			return
		}
		select {
		case text, ok := <-s.shown:
			s.text += text
			require.True(s.t, ok || re.MatchString(s.text), "ended before %q: %q", pattern, s.text)
		case <-deadline:
			s.t.Fatalf("waiting for %q: %q", pattern, s.text)
		}
	}
}

// keys types.
func (s *terminal) keys(keys string) {
	s.t.Helper()
	_, err := s.tty.WriteString(keys)
	require.NoError(s.t, err)
}

// prompt matches the shell's prompt.
const prompt = `\w+@\S+:\S+[#$] `

// The prompt tells user, host and directory.
func TestPromptTellsUserHostAndDirectory(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	s := atTerminal(t)
	s.wait(prompt)
	s.keys("cd /\r")
	s.wait(`\w+@` + regexp.QuoteMeta(host) + `:/[#$] `)
	s.keys("exit 6\r")
	err = s.cmd.Wait()
	require.ErrorContains(t, err, "exit status 6")
}

// Ctrl-C clears the line, Ctrl-D leaves.
func TestCtrlCClearsTheLineAndCtrlDLeaves(t *testing.T) {
	s := atTerminal(t)
	s.wait(prompt)
	s.keys("echo never-run")
	s.wait("never-run")
	s.keys("\x03")
	s.wait(prompt)
	s.keys("echo $((40+2))\r")
	s.wait("\n42\r\n" + prompt)
	s.keys("\x04")
	require.NoError(t, s.cmd.Wait())
}

// Ctrl-C ends the command and the rest of the line, not the shell.
func TestCtrlCEndsTheLineNotTheShell(t *testing.T) {
	s := atTerminal(t)
	s.wait(prompt)
	s.keys("while true; do probe hold x; done; echo rest\r")
	s.wait("ready")
	s.keys("\x03")
	s.wait(prompt)
	s.keys("echo st=$?\r")
	s.wait("\nst=130\r\n")
}

// The up arrow brings the last line back, Tab completes.
func TestArrowUpAndTab(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	s := atTerminal(t)
	s.wait(prompt)
	s.keys("echo one\r")
	s.wait("\none\r\n" + prompt)
	s.keys("\x1b[A\r")
	s.wait("\none\r\n" + prompt)
	s.keys("touch longname\r")
	s.wait(prompt)
	s.keys("rm lon\t\r")
	s.wait(prompt)
	s.keys("hostn\t\r")
	s.wait("\n" + regexp.QuoteMeta(host) + "\r\n")
}

// An unfinished command goes on in the next line.
func TestUnfinishedCommandGoesOn(t *testing.T) {
	s := atTerminal(t)
	s.wait(prompt)
	s.keys("for i in 1 2; do\r")
	s.wait("> ")
	s.keys("echo i=$i; done\r")
	s.wait("\ni=1\r\ni=2\r\n")
}

// A job runs behind the prompt, out of reach of Ctrl-C.
func TestJobIsOutOfReachOfCtrlC(t *testing.T) {
	s := atTerminal(t)
	s.wait(prompt)
	s.keys("sleep 60 &\r")
	s.wait(`\[1\] \d+`)
	s.keys("probe hold x\r")
	s.wait("ready")
	s.keys("\x03")
	s.wait(prompt)
	s.keys("jobs; kill %1\r")
	s.wait(`\[1\] running  sleep 60`)
	s.wait(prompt)
}

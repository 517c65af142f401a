//go:build linux

package cgroup

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
	"lab/internal/sandbox"
)

// roleVariable makes the test binary a process of a container.
const roleVariable = "LAB_CGROUP_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	os.Exit(sandbox.Run(host{m}))
}

// host is the throw-away host with the hierarchies of version 1 that few tests need.
type host struct{ *testing.M }

func (host) Controllers() []string {
	return []string{"blkio", "cpuacct", "cpuset", "devices", "freezer"}
}

// play is a process of a container: it joins by the tasks files it inherited, and
// executes itself once more, as init does, to play its part.
func play(role string) int {
	runtime.LockOSThread()
	name, joins, _ := strings.Cut(role, "/")
	if joins != "" {
		for i := range len(joins) {
			if _, err := unix.Write(3+i, []byte("0")); err != nil {
				fmt.Println(err)
				return 1
			}
		}
		err := os.Setenv(roleVariable, name)
		if err == nil {
			err = unix.Exec("/proc/self/exe", os.Args, os.Environ())
		}
		fmt.Println(err)
		return 1
	}
	if role == "delegatee" {
		if err := delegatee(); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
	fmt.Println("ready")
	line := bufio.NewScanner(os.Stdin)
	for line.Scan() {
		if err := do(line.Text()); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("done")
		}
	}
	return 0
}

// do is what a process of a container can be told to do.
func do(order string) error {
	verb, operand, _ := strings.Cut(order, " ")
	switch verb {
	case "touch": // memory, in MiB
		var mib int
		if _, err := fmt.Sscan(operand, &mib); err != nil {
			return err
		}
		mem, err := unix.Mmap(-1, 0, mib<<20, unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return err
		}
		for i := 0; i < len(mem); i += 4096 {
			mem[i] = 1
		}
		return nil
	case "fork":
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), roleVariable+"=wait")
		_, err := cmd.StdinPipe()
		return errors.Join(err, cmd.Start())
	case "open":
		file, err := os.OpenFile(operand, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		return file.Close()
	case "write":
		return os.WriteFile(strings.Fields(operand)[0], []byte(strings.Fields(operand)[1]), 0)
	case "mkdir":
		return os.Mkdir(operand, 0o755)
	}
	return fmt.Errorf("unknown order %q", order)
}

// process is a process of a container, as the test holds it.
type process struct {
	*exec.Cmd
	t  *testing.T
	in *os.File
	// out has a line for each order.
	out     *bufio.Scanner
	outFile *os.File
}

// born starts a process in a cgroup, as the runtime will: by CLONE_INTO_CGROUP and
// by the tasks files.
func born(t *testing.T, c *Cgroup) *process {
	t.Helper()
	b, err := c.Birth()
	require.NoError(t, err)
	p := &process{Cmd: exec.Command("/proc/self/exe"), t: t}
	p.Env = append(os.Environ(), roleVariable+"=wait/"+strings.Repeat("+", len(b.Tasks())))
	p.ExtraFiles = b.Tasks()
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if b.Dir() != nil {
		p.SysProcAttr.UseCgroupFD, p.SysProcAttr.CgroupFD = true, int(b.Dir().Fd())
	}
	outRead, outWrite, err := os.Pipe()
	require.NoError(t, err)
	inRead, inWrite, err := os.Pipe()
	require.NoError(t, err)
	p.Stdin, p.Stdout, p.Stderr = inRead, outWrite, os.Stderr
	p.in, p.out = inWrite, bufio.NewScanner(outRead)
	p.outFile = outRead
	runtime.LockOSThread() // for the parent's death signal
	t.Cleanup(runtime.UnlockOSThread)
	require.NoError(t, p.Start())
	require.NoError(t, errors.Join(b.Close(), inRead.Close(), outWrite.Close()))
	t.Cleanup(func() {
		_ = inWrite.Close()
		_ = p.Process.Kill()
		_ = p.Wait()
		_ = outRead.Close()
	})
	require.True(t, p.out.Scan(), "the process has ended")
	require.Equal(t, "ready", p.out.Text())
	return p
}

// do has the process do something and returns what came of it.
func (p *process) do(order string) string {
	p.t.Helper()
	_, err := fmt.Fprintln(p.in, order)
	require.NoError(p.t, err)
	if !p.out.Scan() {
		return "dead"
	}
	return p.out.Text()
}

// cgroups reads where a process is, by list of controllers.
func cgroups(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	require.NoError(t, err)
	own, err := parseOwn(string(text))
	require.NoError(t, err)
	return own
}

// limited makes a cgroup with these limits in the throw-away host, and removes it at
// the end.
func limited(t *testing.T, r *specs.LinuxResources) *Cgroup {
	t.Helper()
	need.Sandbox(t)
	h, err := ReadHost()
	require.NoError(t, err)
	l, err := Compile(r, h)
	require.NoError(t, err)
	request, err := h.Request("/"+name(t), "", l)
	require.NoError(t, err)
	c, err := Make(h, request)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Remove())
		for _, p := range c.Places {
			for _, dir := range p.Made {
				require.NoDirExists(t, dir)
			}
		}
	})
	for _, w := range l.Writes {
		require.NoError(t, c.Write(w))
	}
	require.NoError(t, c.Filter(l.Devices))
	return again(t, c)
}

// again is the cgroup as another process reads it back.
func again(t *testing.T, c *Cgroup) *Cgroup {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	var read Cgroup
	require.NoError(t, json.Unmarshal(text, &read))
	return &read
}

// name is a cgroup's name that nobody else has.
func name(t *testing.T) string {
	t.Helper()
	return "lab-" + rand.Text()[:8] + "-" + strings.ReplaceAll(t.Name(), "/", "-")
}

// file reads a file of a cgroup.
func file(t *testing.T, c *Cgroup, controller, file string) string {
	t.Helper()
	p, err := c.place(controller)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(p.Dir, file))
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

// asUser has a command run as an ordinary user, born in a cgroup of version 2.
func asUser(uid uint32, cgroup int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uid, Gid: uid},
		UseCgroupFD: true, CgroupFD: cgroup,
	}
}

// ownerOf is who owns a file.
func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	var stat unix.Stat_t
	require.NoError(t, unix.Stat(path, &stat))
	return stat.Uid
}

package sandbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/moby/sys/mountinfo"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// scenarioVariable names the scenario that this binary plays instead of its
// tests.
const scenarioVariable = "SANDBOX_SCENARIO"

// scenario is what runs in the place of a package's tests.
type scenario string

func (s scenario) Run() int {
	verb, object, _ := strings.Cut(string(s), " ")
	var err error
	switch verb {
	case "facts":
		err = json.NewEncoder(os.Stdout).Encode(lookAround())
	case "active":
		fmt.Println("active:", sandbox.Active())
	case "hello":
		command := exec.Command("hello")
		command.Stdout = os.Stdout
		err = command.Run()
	case "status":
		status, _ := strconv.Atoi(object)
		return status
	case "die":
		err = unix.Kill(os.Getpid(), unix.SignalNum("SIG"+object))
		time.Sleep(time.Minute)
	case "hang":
		err = exec.Command("sleep", "1000").Start()
		fmt.Println("up")
		time.Sleep(time.Minute)
	case "orphans":
		err = orphans()
	case "cgroup":
		err = makeCgroups(object)
	case "leak":
		err = leak()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scenario", s, err)
		return 3
	}
	return 0
}

// insideSandbox makes a test run in a sandbox: it reports true there, and
// otherwise starts the test anew in one and reports false.
func insideSandbox(t *testing.T) bool {
	t.Helper()
	if sandbox.Active() {
		return true
	}
	if os.Getenv(scenarioVariable) != "" {
		t.Fatal("this should run in a sandbox")
	}
	possible(t)
	cmd := outer(t, "tests")
	cmd.Args = append(cmd.Args[:1], "-test.v", "-test.run=^"+t.Name()+"$")
	out, stderr, status := play(t, cmd)
	require.Zero(t, status, out+stderr)
	require.Contains(t, out, "--- PASS: "+t.Name())
	return false
}

// facts is what a process sees of its host.
type facts struct {
	PID, Parent, UID, Umask int
	Active, LoopbackUp      bool
	Args, Environ           []string
	Dir, Stdin              string
	Namespaces              map[string]string
	Processes, Links        []string
	Open, Shared            []string
}

// lookAround fills in the facts. What cannot be read is missing in them.
func lookAround() facts {
	f := facts{
		PID: os.Getpid(), Parent: os.Getppid(), UID: os.Getuid(),
		Active: sandbox.Active(), Args: os.Args, Environ: os.Environ(),
		Namespaces: map[string]string{},
	}
	f.Umask = unix.Umask(0)
	unix.Umask(f.Umask)
	f.Dir, _ = os.Getwd()
	if os.Getenv(scenarioVariable) != "" {
		f.Open = openFiles()
		text, _ := io.ReadAll(os.Stdin)
		f.Stdin = string(text)
	}
	for _, kind := range []string{"mnt", "net", "pid", "ipc", "uts", "user", "cgroup"} {
		f.Namespaces[kind], _ = os.Readlink("/proc/self/ns/" + kind)
	}
	f.Processes = names("/proc/[1-9]*")
	f.Links = names("/sys/class/net/*")
	if lo, err := net.InterfaceByName("lo"); err == nil {
		f.LoopbackUp = lo.Flags&net.FlagUp != 0
	}
	mounts, _ := mountinfo.GetMounts(nil)
	for _, m := range mounts {
		if strings.Contains(m.Optional, "shared:") {
			f.Shared = append(f.Shared, m.Mountpoint)
		}
	}
	return f
}

// openFiles lists the descriptors that are inherited: those that a child gets.
func openFiles() []string {
	var open []string
	for fd := range 64 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			open = append(open, strconv.Itoa(fd))
		}
	}
	return open
}

func names(pattern string) []string {
	paths, _ := filepath.Glob(pattern)
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

// orphans makes processes whose parents end at once, and waits until PID 1
// has reaped them.
func orphans() error {
	for range 20 {
		if err := exec.Command("sh", "-c", "true & exec true").Run(); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(names("/proc/[1-9]*")) > 2 {
		if time.Now().After(deadline) {
			return fmt.Errorf("left: %v", names("/proc/[1-9]*"))
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println("20 orphans, none left")
	return nil
}

// cgroupFacts is what is seen of one hierarchy from inside.
type cgroupFacts struct {
	Version          int
	Mount, Root, Own string
	Limited          bool
}

// makeCgroups makes a cgroup in each hierarchy, tells of them, and removes
// them when told to.
func makeCgroups(name string) error {
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return err
	}
	var told []cgroupFacts
	var made []string
	for _, h := range hierarchies {
		dir := filepath.Join(h.Mount, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		made = append(made, dir)
		told = append(told, cgroupFacts{h.Version, h.Mount, h.Root, h.Own, limit(dir, h)})
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		return err
	}
	if _, err := io.ReadAll(os.Stdin); err != nil {
		return err
	}
	for _, dir := range made {
		if err := os.Remove(dir); err != nil {
			return err
		}
	}
	return nil
}

// limit sets a limit of each controller of a hierarchy, to its present value.
func limit(dir string, h need.Hierarchy) bool {
	files := map[string]string{"cpu": "cpu.max", "memory": "memory.max", "pids": "pids.max"}
	if h.Version == 1 {
		files["cpu"], files["memory"] = "cpu.cfs_quota_us", "memory.limit_in_bytes"
	}
	for _, controller := range h.Controllers {
		file, known := files[controller]
		if !known {
			continue
		}
		value, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || os.WriteFile(filepath.Join(dir, file), value, 0) != nil {
			return false
		}
	}
	return true
}

// leak leaves something of every kind behind.
func leak() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "leak0"
	process := exec.Command("sleep", "1000")
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return errors.Join(
		os.Mkdir("/run/leak", 0o755),
		unix.Mount("tmpfs", "/run/leak", "tmpfs", 0, ""),
		netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}),
		os.Mkdir("/run/netns", 0o755),
		os.WriteFile("/run/netns/leak", nil, 0o644),
		process.Start(),
		unix.Sethostname([]byte("leak")),
		leakCgroup(),
	)
}

func leakCgroup() error {
	if !hasCgroups() {
		return nil
	}
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return err
	}
	return os.Mkdir(filepath.Join(hierarchies[0].Mount, "leak"), 0o755)
}

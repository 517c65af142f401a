//go:build linux

package instruments

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/inspect"
	"lab/internal/need"
	"lab/internal/nsview"
)

// nested are containers in containers: in each, a namespace of every type is
// another one, and some user namespaces have no process left in them.
var nested = []string{
	"unshare -Ur unshare -pfn --mount-proc sleep 1000",
	"unshare -Ur unshare -U sleep 1000",
	"unshare -Urmiu unshare -Cfp sleep 1000",
	"unshare -UrTpf --mount-proc sh -c 'unshare -Upfm --mount-proc sleep 1000 & " +
		"unshare -Urn sleep 1000 & sleep 1000'",
}

// sleepers is the number of processes that wait in them.
const sleepers = 6

// hold starts a command that ends with the test, and with it all that is in its
// PID namespaces.
func hold(t *testing.T, command string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "exec "+command)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread() // the signal comes when the starting thread ends
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		// Its group was made by us and has not been waited for: it is no other.
		assert.NoError(t, unix.Kill(-cmd.Process.Pid, unix.SIGKILL))
		_ = cmd.Wait() // the signal is its status
		runtime.UnlockOSThread()
	})
	return cmd
}

// holdNested starts all and waits until each waits in its innermost namespace.
func holdNested(t *testing.T) {
	t.Helper()
	need.Sandbox(t)
	need.UserNS(t)
	for _, command := range nested {
		hold(t, command)
	}
	require.NoError(t, check.Until(t.Context(), 30*time.Second, func() (bool, error) {
		below, err := inspect.Descendants(os.Getpid())
		count := 0
		for _, pid := range below {
			if s, err := inspect.ReadStatus(pid); err == nil && s.Name == "sleep" {
				count++
			}
		}
		return count == sleepers, err
	}))
}

// lsns is a namespace as lsns(8) lists it.
type lsns struct {
	NS     uint64 `json:"ns"`
	Type   string `json:"type"`
	Count  int    `json:"nprocs"`
	PID    int    `json:"pid"`
	Owner  uint64 `json:"ons"`
	Parent uint64 `json:"pns"`
}

// listByLsns asks lsns(8).
func listByLsns(t *testing.T) []lsns {
	t.Helper()
	tool := need.Tool(t, "lsns", "util-linux")
	out, err := exec.CommandContext(t.Context(), tool, "--json", "--list",
		"-o", "NS,TYPE,NPROCS,PID,ONS,PNS").Output()
	require.NoError(t, err)
	var document struct{ Namespaces []lsns }
	require.NoError(t, json.Unmarshal(out, &document), string(out))
	require.NotEmpty(t, document.Namespaces)
	return document.Namespaces
}

// Both programs are children of this test and count themselves once, so equal
// pictures have equal counts. lsns(8) lists no namespace without a process.
func TestNSAllEqualsLsns(t *testing.T) {
	holdNested(t)
	stdout, stderr, status := lab(t, "ns", "--all", "--json")
	require.Zero(t, status, stderr)
	var document nsview.Document
	require.NoError(t, json.Unmarshal([]byte(stdout), &document))
	var ours []lsns
	kinds := map[string]int{}
	for _, n := range document.Namespaces {
		if n.Processes > 0 {
			ours = append(ours, lsns{n.Inode, n.Type, n.Processes, n.PID, n.Owner, n.Parent})
			kinds[n.Type]++
		}
	}
	assert.ElementsMatch(t, listByLsns(t), ours)
	for _, kind := range inspect.Types {
		assert.GreaterOrEqual(t, kinds[kind], 2, "kind %s", kind)
	}
	assert.Len(t, kinds, len(inspect.Types))
}

func TestNSTree(t *testing.T) {
	holdNested(t)
	stdout, stderr, status := lab(t, "ns", "--tree")
	require.Zero(t, status, stderr)
	for _, want := range []string{
		`(?m)^\d+ \(yours\)$`, "made by uid 0", "held by the namespaces inside it",
		`sleep: pid \d+ here (›|>) 1\n`, `sleep: pid \d+ here (›|>) \d+ (›|>) 1\n`,
	} {
		assert.Regexp(t, want, stdout)
	}
}

// In the matrix a container is a letter, and what it shares is another's.
func TestNSMatrix(t *testing.T) {
	need.Sandbox(t)
	need.UserNS(t)
	container := hold(t, "unshare -Urmiun sleep 1000")
	waitFor(t, container.Process.Pid, "sleep")
	beside := hold(t, "nsenter --preserve-credentials -U -n -t "+pidOf(container)+
		" unshare -u sleep 1000")
	waitFor(t, beside.Process.Pid, "sleep")

	stdout, stderr, status := lab(t, "ns", pidOf(container), pidOf(beside))
	require.Zero(t, status, stderr)
	assert.Regexp(t, `(?m)^A +\d+ +sleep +(·|\.) +A +A +A +(·|\.) +(·|\.) +A +A$`, stdout)
	assert.Regexp(t, `(?m)^B +\d+ +sleep +(·|\.) +(·|\.) +(·|\.) +A +(·|\.) +(·|\.) +A +B$`, stdout)

	stdout, stderr, status = lab(t, "ns", pidOf(container))
	require.Zero(t, status, stderr)
	for kind, word := range map[string]string{"uts": "own", "net": "own", "pid": "same"} {
		inode, err := inspect.Namespace(container.Process.Pid, kind)
		require.NoError(t, err)
		yours, err := inspect.Namespace(os.Getpid(), kind)
		require.NoError(t, err)
		assert.Regexp(t, "(?m)^"+kind+" +"+number(yours)+" +"+number(inode)+" +"+word+" ", stdout)
	}
	assert.Contains(t, stdout, "5 of 8 are its own.")
}

// waitFor waits until a process has executed a program.
func waitFor(t *testing.T, pid int, name string) {
	t.Helper()
	require.NoError(t, check.Until(t.Context(), 30*time.Second, func() (bool, error) {
		s, err := inspect.ReadStatus(pid)
		return s.Name == name, err
	}), "process %d executes %s", pid, name)
}

// pidOf writes a command's pid.
func pidOf(cmd *exec.Cmd) string { return number(uint64(cmd.Process.Pid)) }

// number writes a number.
func number(n uint64) string { return strconv.FormatUint(n, 10) }

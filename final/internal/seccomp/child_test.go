//go:build linux

package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// filtered is argv[0] of a copy of this test that loads a filter and becomes a program.
const filtered = "filtered"

func TestMain(m *testing.M) {
	if os.Args[0] == filtered {
		fmt.Println(becomeFiltered())
		os.Exit(statusOurs)
	}
	os.Exit(m.Run())
}

// statusOurs is the status of a copy that did not become the program.
const statusOurs = 99

// becomeFiltered does what the environment says.
func becomeFiltered() error {
	runtime.LockOSThread()
	var f Filter
	if err := json.Unmarshal([]byte(os.Getenv("FILTER")), &f); err != nil {
		return err
	}
	if os.Getenv("PRIVILEGES") == "" {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	deliver := func(listener *os.File) error {
		connection, err := dial(os.Getenv("LISTENER"))
		if err != nil {
			return err
		}
		state := specs.ContainerProcessState{
			Version: specs.Version, Pid: os.Getpid(), Metadata: "m",
		}
		return Send(connection, state, listener)
	}
	if os.Getenv("LOAD") != "" {
		if err := f.Load(deliver); err != nil {
			return err
		}
		_, _, errno := syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		return fmt.Errorf("sched_yield: %w", errno)
	}
	path := os.Getenv("PROGRAM")
	return f.Exec(path, []string{path}, nil, deliver)
}

// command is a copy that becomes a program under a profile.
func command(t *testing.T, profile *specs.LinuxSeccomp, program string, env ...string) *exec.Cmd {
	t.Helper()
	f, err := Compile(profile)
	require.NoError(t, err)
	text, err := json.Marshal(f)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{filtered}
	cmd.Env = append(append(os.Environ(), "FILTER="+string(text), "PROGRAM="+program), env...)
	return cmd
}

// run runs it and returns the program's end, as a shell counts it: 128 and more is a
// signal.
func run(t *testing.T, cmd *exec.Cmd) (status int, said string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	ended, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	if ended.Signaled() {
		return 128 + int(ended.Signal()), string(out)
	}
	require.NotEqual(t, statusOurs, ended.ExitStatus(), string(out))
	return ended.ExitStatus(), string(out)
}

// sigsys is the status of a program that was killed for a system call.
const sigsys = 128 + int(unix.SIGSYS)

// only is a profile with one rule on sched_yield(2).
func only(action specs.LinuxSeccompAction, args ...specs.LinuxSeccompArg) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"sched_yield"}, Action: action, Args: args},
		},
	}
}

// errnoIs gives a profile's first rule an errno.
func errnoIs(p *specs.LinuxSeccomp, errno uint) *specs.LinuxSeccomp {
	p.Syscalls[0].ErrnoRet = &errno
	return p
}

// What a program sees of each action.
func TestActions(t *testing.T) {
	yield := payload(t, unix.SYS_SCHED_YIELD, 0)
	for _, test := range []struct {
		name   string
		given  *specs.LinuxSeccomp
		status int
	}{
		{"allowed", only(specs.ActAllow), 0},
		{"logged and allowed", only(specs.ActLog), 0},
		{"refused with EPERM", only(specs.ActErrno), int(unix.EPERM)},
		{"refused with an errno", errnoIs(only(specs.ActErrno), 95), 95},
		{"not made and yet a success", errnoIs(only(specs.ActErrno), 0), 0},
		{"for a tracer that is not there", only(specs.ActTrace), int(unix.ENOSYS)},
		{"kill", only(specs.ActKill), sigsys},
		{"kill the thread", only(specs.ActKillThread), sigsys},
		{"kill the process", only(specs.ActKillProcess), sigsys},
		{"a signal nobody handles", only(specs.ActTrap), sigsys},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, said := run(t, command(t, test.given, yield))
			require.Equal(t, test.status, status, said)
		})
	}
}

// Conditions see all 64 bits of an argument.
func TestConditionsInTheKernel(t *testing.T) {
	const big = 1<<40 | 5
	arg := func(op specs.LinuxSeccompOperator, value, two uint64) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{Index: 0, Op: op, Value: value, ValueTwo: two}
	}
	for _, test := range []struct {
		arg   specs.LinuxSeccompArg
		holds bool
	}{
		{arg(specs.OpEqualTo, big, 0), true},
		{arg(specs.OpEqualTo, 5, 0), false},
		{arg(specs.OpNotEqual, 1<<40, 0), true},
		{arg(specs.OpLessThan, big, 0), false},
		{arg(specs.OpLessEqual, big, 0), true},
		{arg(specs.OpGreaterThan, 1<<40|4, 0), true},
		{arg(specs.OpGreaterEqual, 1<<41, 0), false},
		{arg(specs.OpMaskedEqual, 1<<40|1, 1<<40|1), true},
		{arg(specs.OpMaskedEqual, 1<<40|2, 1<<40|2), false},
	} {
		t.Run(fmt.Sprintf("%s %#x %#x", test.arg.Op, test.arg.Value, test.arg.ValueTwo),
			func(t *testing.T) {
				given := errnoIs(only(specs.ActErrno, test.arg), 77)
				status, said := run(t, command(t, given, payload(t, unix.SYS_SCHED_YIELD, big)))
				require.Equal(t, test.holds, status == 77, said)
			})
	}
}

// Between the filter and the program no call is made that the profile would have to
// allow: only the program's own three are.
func TestExecMakesNoOtherCall(t *testing.T) {
	given := &specs.LinuxSeccomp{
		DefaultAction: specs.ActKillProcess,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"execve", "sched_yield", "exit_group"}, Action: specs.ActAllow},
		},
	}
	for _, processors := range []string{"GOMAXPROCS=1", "GOMAXPROCS=4"} {
		status, said := run(t, command(t, given, payload(t, unix.SYS_SCHED_YIELD, 0), processors))
		require.Zero(t, status, said)
	}
	status, _ := run(t, command(t, given, payload(t, unix.SYS_GETPID, 0)))
	require.Equal(t, sigsys, status)
}

// A newer call than the profile knows is one that the kernel does not have; what an
// old profile leaves out is refused.
func TestNewerCalls(t *testing.T) {
	given := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"execve", "openat2", "exit_group"}, Action: specs.ActAllow},
		},
	}
	status, said := run(t, command(t, given, payload(t, 439, 0)))
	require.Equal(t, int(unix.ENOSYS), status, said)
	status, said = run(t, command(t, given, payload(t, unix.SYS_SCHED_YIELD, 0)))
	require.Equal(t, int(unix.EPERM), status, said)
}

// Load alone filters the calling thread.
func TestLoad(t *testing.T) {
	cmd := command(t, errnoIs(only(specs.ActErrno), 61), "", "LOAD=1")
	out, _ := cmd.CombinedOutput() // it ends with statusOurs
	require.Equal(t, "sched_yield: "+unix.ENODATA.Error()+"\n", string(out))
}

// The kernel takes Docker's profile, for either machine.
func TestKernelTakesDockerProfile(t *testing.T) {
	status, said := run(t, command(t, dockerProfile(t, runtime.GOARCH),
		payload(t, unix.SYS_SCHED_YIELD, 0)))
	require.Zero(t, status, said)
	for _, goarch := range []string{"amd64", "arm64"} {
		f, err := compileFor(dockerProfile(t, goarch), goarch)
		require.NoError(t, err)
		// In the other's eyes this machine's programs are foreign: they are killed.
		text, err := json.Marshal(f)
		require.NoError(t, err)
		cmd := command(t, only(specs.ActAllow), payload(t, unix.SYS_SCHED_YIELD, 0))
		cmd.Env = append(cmd.Env, "FILTER="+string(text))
		status, said := run(t, cmd)
		require.Equal(t, goarch == runtime.GOARCH, status == 0, said)
		require.Equal(t, goarch != runtime.GOARCH, status == sigsys, said)
	}
}

// The flags that a profile may have are ones that the kernel knows.
func TestFlags(t *testing.T) {
	given := only(specs.ActErrno)
	given.Flags = []specs.LinuxSeccompFlag{
		specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, "SECCOMP_FILTER_FLAG_TSYNC",
	}
	status, said := run(t, command(t, given, payload(t, unix.SYS_SCHED_YIELD, 0)))
	require.Equal(t, int(unix.EPERM), status, said)
}

// Without no_new_privs and without CAP_SYS_ADMIN nobody may filter, as the error says.
func TestNotAllowed(t *testing.T) {
	cmd := command(t, only(specs.ActErrno), "/nowhere", "PRIVILEGES=kept")
	cmd.Args[0] = filtered
	cmd.SysProcAttr = withoutCapabilities()
	out, _ := cmd.CombinedOutput() // it ends with statusOurs
	const want = `^load a seccomp filter of \d+ instructions: permission denied\n$`
	require.Regexp(t, want, string(out))
}

// withoutCapabilities has a child started as nobody, or, for those who cannot be
// anybody else, as themselves.
func withoutCapabilities() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// An execve(2) that fails comes back as its errno.
func TestExecFails(t *testing.T) {
	cmd := command(t, only(specs.ActErrno), "/nowhere")
	out, _ := cmd.CombinedOutput() // it ends with statusOurs
	require.Equal(t, "no such file or directory", strings.TrimSpace(string(out)))
}

// dial connects to the process that answers for calls.
func dial(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	return os.NewFile(uintptr(fd), path), err
}

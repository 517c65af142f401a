//go:build linux

package seccomp

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// agent is a process that answers for calls, as an engine would run it.
type agent struct {
	path  string
	state specs.ContainerProcessState

	lock sync.Mutex
	seen []int32 // numbers of the calls, in their order
}

// struct seccomp_notif and seccomp_notif_resp of linux/seccomp.h.
type request struct {
	id         uint64
	pid, flags uint32
	number     int32
	arch       uint32
	pointer    uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// serve listens; it answers sched_yield(2) with an errno and lets all else happen.
func serve(t *testing.T) *agent {
	t.Helper()
	a := &agent{path: filepath.Join(t.TempDir(), "s")}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: a.path}))
	require.NoError(t, unix.Listen(fd, 1))
	ended := make(chan error, 1)
	go func() { ended <- a.work(fd) }()
	t.Cleanup(func() {
		require.NoError(t, unix.Shutdown(fd, unix.SHUT_RDWR))
		require.NoError(t, <-ended)
		require.NoError(t, unix.Close(fd))
	})
	return a
}

// work takes one listener and answers until nobody is filtered by it any longer.
func (a *agent) work(fd int) error {
	connection, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return nil // nobody came
	}
	listener, err := a.receive(connection)
	if err := errors.Join(err, unix.Close(connection)); err != nil {
		return err
	}
	defer listener.Close()
	for {
		var asked request
		waiting := []unix.PollFd{{Fd: int32(listener.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(waiting, -1); errors.Is(err, unix.EINTR) {
			continue
		}
		if waiting[0].Revents&unix.POLLIN == 0 {
			return nil
		}
		err := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&asked))
		if err != nil {
			return err
		}
		a.lock.Lock()
		a.seen = append(a.seen, asked.number)
		a.lock.Unlock()
		answer := response{id: asked.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if asked.number == unix.SYS_SCHED_YIELD {
			answer.flags, answer.errno = 0, -42
		}
		err = ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer))
		if err != nil {
			return err
		}
	}
}

// receive reads the one message with the state and the file.
func (a *agent) receive(connection int) (*os.File, error) {
	text, rights := make([]byte, 4096), make([]byte, 64)
	n, rn, _, _, err := unix.Recvmsg(connection, text, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text[:n], &a.state); err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:rn])
	if err != nil {
		return nil, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "listener"), nil
}

func ioctl(file *os.File, request uintptr, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), request, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}

// askForAll is a profile under which an agent is asked for every call there is.
func askForAll(a *agent) *specs.LinuxSeccomp {
	p := only(specs.ActNotify)
	p.ListenerPath, p.Syscalls[0].Names = a.path, nil
	for _, r := range table {
		p.Syscalls[0].Names = append(p.Syscalls[0].Names, r.name)
	}
	return p
}

// The agent gets the listener although it is asked for every call: Exec makes none in
// between. Its answers are what the program sees.
func TestNotifyOfEveryCall(t *testing.T) {
	for _, processors := range []string{"GOMAXPROCS=1", "GOMAXPROCS=3"} {
		t.Run(processors, func(t *testing.T) {
			a := serve(t)
			cmd := command(t, askForAll(a), payload(t, unix.SYS_SCHED_YIELD, 0),
				"LISTENER="+a.path, processors)
			status, said := run(t, cmd)
			require.Equal(t, 42, status, said)
			a.lock.Lock()
			defer a.lock.Unlock()
			require.Equal(t, []int32{
				unix.SYS_EXECVE, unix.SYS_SCHED_YIELD, unix.SYS_EXIT_GROUP,
			}, a.seen)
			require.Equal(t, cmd.Process.Pid, a.state.Pid)
			require.Equal(t, []string{specs.SeccompFdName}, a.state.Fds)
			require.Equal(t, "m", a.state.Metadata)
		})
	}
}

// Load goes on in Go: of its runtime's calls the agent is asked for, too.
func TestNotifyAfterLoad(t *testing.T) {
	a := serve(t)
	given := only(specs.ActNotify)
	given.ListenerPath = a.path
	cmd := command(t, given, "", "LISTENER="+a.path, "LOAD=1")
	out, _ := cmd.CombinedOutput() // it ends with statusOurs
	require.Equal(t, "sched_yield: "+unix.ENOMSG.Error()+"\n", string(out))
}

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// All tests of this package are about root where they run as the machine's root, and about
// an ordinary user elsewhere: then the throw-away host's root is root of a user namespace
// with one id, and plays that user in one more namespace, where it is no root.

// isRealRoot reports whether this is the root of the first user namespace.
func isRealRoot() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && os.Geteuid() == 0 &&
		strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
}

// ordinaryUID is the ordinary user's number, of which no file knows.
const ordinaryUID = 54321

// ordinary is a process in the namespace where the host's root is an ordinary user.
var ordinary = sync.OnceValues(func() (*exec.Cmd, error) {
	cmd := exec.Command("sleep", "1000000")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: ordinaryUID, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: ordinaryUID, HostID: 0, Size: 1}},
	}
	return cmd, cmd.Start()
})

// asOrdinaryUser are the words before those of a command.
func (m *mini) asOrdinaryUser() []string {
	m.t.Helper()
	cmd, err := ordinary()
	require.NoError(m.t, err)
	where := fmt.Sprintf("--user=/proc/%d/ns/user", cmd.Process.Pid)
	return []string{"nsenter", where, "--preserve-credentials", "--"}
}

// warnings are what an ordinary user is told beside.
var warnings = regexp.MustCompile("(?m)^mini: warning: .*\n")

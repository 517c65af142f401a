//go:build linux

package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/sandbox"
)

// What a copy of this test binary does is chosen by its argv[0].
func TestMain(m *testing.M) {
	roles := map[string]func() error{
		"probe": probe, // report and end
		"hold":  hold,  // report and live until the standard input ends: a container
		"again": again, // become protected, and say so
		"owner": owner, // run a scenario without capabilities, as an ordinary user
	}
	if role, ok := roles[os.Args[0]]; ok {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, os.Args[0]+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(sandbox.Run(m))
}

// report is what a program finds out about itself.
type report struct {
	PID, Parent, UID, GID int
	Namespaces            map[string]string
	Status                map[string]string // of /proc/self/status
	Cgroups, UIDMap       string
	Files                 []string // 0, 1, … and what they are
	Monotonic, Boottime   int64
	Arguments, Environ    []string
}

func look() (report, error) {
	r := report{
		PID: os.Getpid(), Parent: os.Getppid(), UID: os.Getuid(), GID: os.Getgid(),
		Namespaces: map[string]string{}, Status: map[string]string{},
		Arguments: os.Args, Environ: os.Environ(),
	}
	for _, k := range kinds {
		r.Namespaces[k.file], _ = os.Readlink("/proc/self/ns/" + k.file)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return r, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		r.Status[name] = strings.TrimSpace(value)
	}
	cgroups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return r, err
	}
	uids, err := os.ReadFile("/proc/self/uid_map")
	r.Cgroups, r.UIDMap = string(cgroups), string(uids)
	r.Monotonic, r.Boottime = clock(unix.CLOCK_MONOTONIC), clock(unix.CLOCK_BOOTTIME)
	return r, err
}

// openFiles are the open files by number, but for what Go's own runtime opens.
func openFiles() []string {
	entries, _ := os.ReadDir("/proc/self/fd")
	var list []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err == nil && !strings.HasPrefix(target, "anon_inode:[event") &&
			!strings.HasPrefix(target, "/sys/fs/cgroup/") {
			list = append(list, e.Name()+" "+target)
		}
	}
	return list
}

func clock(id int32) int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(id, &now) // there is always this clock
	return now.Sec
}

func probe() error {
	files := openFiles() // before look opens others
	r, err := look()
	r.Files = files
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func hold() error {
	if err := probe(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// again executes itself until it is protected: once.
func again() error {
	if !isProtected() {
		return anew()
	}
	fmt.Println("protected")
	return nil
}

// started is a program that a test has started, and what it reports.
type started struct {
	report
	pid   int
	stdin *os.File
}

// start starts a copy of this test binary and reads what it reports.
func start(c Child) (s *started, err error) {
	exe, err := Self()
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	in, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	c.Exe, c.Files = exe, append([]*os.File{in, stdout, os.Stderr}, c.Files...)
	s = &started{stdin: stdin}
	s.pid, err = Start(&c)
	_ = stdout.Close() // the program has it now
	if err != nil {
		return nil, errors.Join(err, stdin.Close())
	}
	if err := json.NewDecoder(out).Decode(&s.report); err != nil {
		return nil, errors.Join(fmt.Errorf("read the report of %s: %w", c.Args[0], err), s.end())
	}
	return s, nil
}

// end ends the program and reaps it.
func (s *started) end() error {
	_ = s.stdin.Close() // it may have ended by itself
	status, err := wait(s.pid)
	if err == nil && status != 0 {
		err = fmt.Errorf("process %d ended with %s", s.pid, describe(status))
	}
	return err
}

// mustStart is start for a test, at whose end the program ends.
func mustStart(t *testing.T, c Child) *started {
	t.Helper()
	s, err := start(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.end()) })
	return s
}

// nothingLeft fails the test if it leaves an open file or a child.
func nothingLeft(t *testing.T) {
	t.Helper()
	before := len(openFiles())
	t.Cleanup(func() {
		_, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		require.ErrorIs(t, err, unix.ECHILD, "a child is left")
		deadline := time.Now().Add(5 * time.Second)
		for len(openFiles()) != before && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		require.Len(t, openFiles(), before)
	})
}

//go:build linux

package inspect

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// In runs a function inside some namespaces of another process, such as "uts"
// or "net": what it reads there is what that process would read. It needs
// CAP_SYS_ADMIN over them. The user namespace cannot be entered this way, for
// this program has several threads. See setns(2).
func In(pid int, kinds []string, do func() error) error {
	done := make(chan error)
	go apart(done, func() error {
		for _, kind := range kinds {
			if err := enter(pid, kind); err != nil {
				return err
			}
		}
		return do()
	})
	return <-done
}

// apart does something on a thread that Go ends afterwards, as it ends each
// thread whose goroutine ended locked to it: no other code ever runs in the
// wrong namespace. The main thread is no such thread. It would stay there for
// good, and it is the one that /proc/PID shows of this program.
func apart(done chan<- error, do func() error) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		done <- do()
		return
	}
	// As long as this goroutine holds the main thread, another one runs on
	// another.
	defer runtime.UnlockOSThread()
	elsewhere := make(chan error)
	go apart(elsewhere, do)
	done <- <-elsewhere
}

// enter moves the calling thread into one namespace.
func enter(pid int, kind string) error {
	path := fmt.Sprintf("/proc/%d/ns/%s", pid, kind)
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if kind == "mnt" {
		// Threads share their root and working directory until told otherwise.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare CLONE_FS: %w", err)
		}
	}
	if err := unix.Setns(int(file.Fd()), 0); err != nil {
		return fmt.Errorf("setns %s: %w", path, err)
	}
	return nil
}

// Hostname returns the host name that a process sees.
func Hostname(pid int) (string, error) {
	var name string
	err := In(pid, []string{"uts"}, func() (err error) {
		var uts unix.Utsname
		if err = unix.Uname(&uts); err == nil {
			name = unix.ByteSliceToString(uts.Nodename[:])
		}
		return err
	})
	return name, err
}

// Owner returns the inode number of the user namespace to which one of a
// process's namespaces belongs: whose capabilities count in it. See
// ioctl_ns(2).
func Owner(pid int, kind string) (uint64, error) {
	namespace, err := OpenNamespace(pid, kind)
	if err != nil {
		return 0, err
	}
	defer namespace.Close()
	owner, err := namespace.Owner()
	if err != nil {
		return 0, err
	}
	defer owner.Close()
	return owner.Inode, nil
}

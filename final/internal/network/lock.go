package network

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock keeps other commands from changing networks until the returned function is
// called: those of this store by a file of its own, and those of other stores that use
// the same host by the file that its network namespace is. The kernel takes both locks
// back from a process that dies.
//
//	flock ROOT/networks/lock flock /proc/self/ns/net COMMAND
func (s *Store) lock() (unlock func(), err error) {
	own, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	host, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock: %w", err), own.Close())
	}
	unlock = func() {
		// Both were opened for their locks alone, so there is nothing to lose.
		_ = host.Close()
		_ = own.Close()
	}
	for _, f := range []*os.File{own, host} {
		if err := flock(f); err != nil {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// flock waits for the exclusive lock on a file. Go's own signals may interrupt it.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("flock %s: %w", f.Name(), err)
		}
	}
}

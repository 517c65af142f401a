package progress

import (
	"os"

	"golang.org/x/sys/windows"
)

// noFollow has no counterpart here.
const noFollow = 0

// flock waits until nobody else holds the lock.
func flock(file *os.File) error {
	return windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK,
		0, 1, 0, new(windows.Overlapped))
}

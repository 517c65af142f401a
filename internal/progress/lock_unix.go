//go:build unix

package progress

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// noFollow refuses to open a link: root does not write where a link of the
// user's leads.
const noFollow = unix.O_NOFOLLOW

// flock waits until nobody else holds the lock; see flock(2).
func flock(file *os.File) error {
	for {
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

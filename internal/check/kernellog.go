//go:build linux

package check

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelLog returns what the kernel writes into its log while something is done.
// Each read(2) of /dev/kmsg gives one record; the text is what follows the first
// semicolon. It is nothing where the log is not ours to read. See dmesg(1).
//
//	3,1042,14999821358,-;overlayfs: workdir and upperdir must be separate subtrees
func kernelLog(do func() error) ([]string, error) {
	log, err := os.OpenFile("/dev/kmsg", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, do()
	}
	defer log.Close()
	fd := int(log.Fd())
	// The end is behind the last record.
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		return nil, fmt.Errorf("go to the end of the kernel's log: %w", err)
	}
	if err := do(); err != nil {
		return nil, err
	}
	var lines []string
	for record := make([]byte, 8192); ; {
		n, err := unix.Read(fd, record)
		switch {
		case errors.Is(err, unix.EPIPE): // records were overwritten before they were read
		case errors.Is(err, unix.EAGAIN):
			return lines, nil
		case err != nil:
			return lines, fmt.Errorf("read the kernel's log: %w", err)
		default:
			_, text, _ := strings.Cut(string(record[:n]), ";")
			line, _, _ := strings.Cut(text, "\n")
			lines = append(lines, line)
		}
	}
}

package oom

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kernelLog reads what the kernel writes to its log from now on.
type kernelLog struct {
	fd     int
	hidden string // why it cannot be read
}

// openLog goes to the end of the kernel's log.
func openLog() *kernelLog {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Seek(fd, 0, unix.SEEK_END)
	}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &kernelLog{fd: -1, hidden: "/dev/kmsg is for root (kernel.dmesg_restrict)"}
	case err != nil:
		return &kernelLog{fd: -1, hidden: "/dev/kmsg: " + err.Error()}
	}
	return &kernelLog{fd: fd}
}

// close closes the log.
func (l *kernelLog) close() {
	if l.fd >= 0 {
		_ = unix.Close(l.fd) // it was only read
		l.fd = -1
	}
}

// killed returns the line of the log about the process that was killed in a
// cgroup. The pids in the log are the machine's, so it is found by the name of
// its cgroup, in one line, and by its pid, in the next:
//
//	6,1204,8812,-;oom-kill:constraint=…,task_memcg=/lab-9-4026531836,…,pid=4711,uid=0
//	3,1205,8812,-;Memory cgroup out of memory: Killed process 4711 (lab-allocator) total-vm:…
func (l *kernelLog) killed(cgroup string) (line, hidden string) {
	if l.hidden != "" {
		return "", l.hidden
	}
	named := regexp.MustCompile(`task_memcg=[^,]*` + regexp.QuoteMeta(cgroup) + `,.*pid=(\d+)`)
	pid := ""
	// The log is written to by another CPU, a moment after the event.
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		text, err := l.next()
		if errors.Is(err, unix.EAGAIN) {
			time.Sleep(time.Millisecond)
			continue
		}
		if errors.Is(err, unix.EPIPE) {
			continue // overwritten before we read it
		}
		if err != nil {
			return "", "/dev/kmsg: " + err.Error()
		}
		if match := named.FindStringSubmatch(text); match != nil {
			pid = match[1]
		}
		if pid != "" && strings.Contains(text, fmt.Sprintf("Killed process %s ", pid)) {
			return text, ""
		}
	}
	return "", "the kernel's log has no line about it"
}

// next reads one record, without its prefix.
func (l *kernelLog) next() (string, error) {
	buffer := make([]byte, os.Getpagesize()*2)
	n, err := unix.Read(l.fd, buffer)
	if err != nil {
		return "", err
	}
	_, text, _ := strings.Cut(string(buffer[:n]), ";")
	line, _, _ := strings.Cut(text, "\n")
	return line, nil
}

package oom

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// allocatorName is the argv[0] by which this executable is the allocator:
//
//	lab-allocator RESERVE [TASKS]
//
// It reserves address space of RESERVE bytes, says "ready", and for each line
// with a number on standard input touches so many bytes more and says how many
// it holds. With TASKS, the number of an open file, it first becomes a member
// of that cgroup of version 1 and executes itself anew, so that nothing of it
// was charged elsewhere.
const allocatorName = "lab-allocator"

// Child runs the allocator if the arguments are its.
func Child(args []string) (status int, ok bool) {
	if len(args) < 2 || args[0] != allocatorName {
		return 0, false
	}
	if err := allocator(args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "lab: %s: %v\n", allocatorName, err)
		return 1, true
	}
	return 0, true
}

// allocator is the life of the process that will be killed.
func allocator(args []string) error {
	reserve, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	if len(args) > 1 {
		return joinAndRestart(args)
	}
	debug.SetGCPercent(-1) // what the collector does would be in the figures
	// The name in the kernel's log and in ps; a figure without it is as good.
	_ = os.WriteFile("/proc/self/comm", []byte(allocatorName), 0)
	memory, err := reserveMemory(reserve)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return serve(memory, os.Stdin, os.Stdout)
}

// joinAndRestart writes 0, which is the writer, to the cgroup's tasks: this one
// thread, the one that executes the program next.
func joinAndRestart(args []string) error {
	fd, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	lockThread()
	if _, err := unix.Write(fd, []byte("0")); err != nil {
		return fmt.Errorf("join the cgroup: %w", err)
	}
	if err := unix.Close(fd); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(self, []string{allocatorName, args[0]}, os.Environ())
}

// reserveMemory reserves address space, which costs no memory until it is
// touched. Huge pages are turned off: a touch is to be one page, not 512.
func reserveMemory(size int64) ([]byte, error) {
	memory, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("mmap %d bytes: %w", size, err)
	}
	err = unix.Madvise(memory, unix.MADV_NOHUGEPAGE)
	if err != nil && err != unix.EINVAL { // EINVAL: this kernel has none
		return nil, fmt.Errorf("madvise MADV_NOHUGEPAGE: %w", err)
	}
	return memory, nil
}

// serve touches memory as it is told, until the input ends.
func serve(memory []byte, in io.Reader, out io.Writer) error {
	held, page := 0, os.Getpagesize()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		more, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil || more < 0 || more > len(memory)-held {
			return fmt.Errorf("take %q: not a size that was reserved", lines.Text())
		}
		for i := held; i < held+more; i += page {
			memory[i] = 1
		}
		held += more
		if _, err := fmt.Fprintln(out, held); err != nil {
			return err
		}
	}
	return lines.Err()
}

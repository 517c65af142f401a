//go:build linux

package box

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// probe is the agent of the checks in a container: every subcommand does one thing
// whose effect the kernel shows outside. What it prints is stable.
func probe(c *call) error {
	if len(c.args) == 0 {
		return misused("missing subcommand")
	}
	name := c.args[0]
	c.args = c.args[1:]
	run, ok := probes()[name]
	if !ok {
		return misused("unknown subcommand %q", name)
	}
	return run(c)
}

// probes are the subcommands of probe.
func probes() map[string]func(*call) error {
	return map[string]func(*call) error{
		"hold": probeHold, "argv": probeArgv, "exit": probeExit, "signal": probeSignal,
		"pid": probePID, "env": printenv, "trap": probeTrap, "orphans": probeOrphans,
		"orphan-parent": probeOrphanParent, "orphan": probeOrphan, "zombie": probeZombie,
		"forkbomb": probeForkbomb, "sleep": sleep, "spin": probeSpin, "fds": probeFDs,
		"escape-chroot": probeEscape, "caps": probeCaps,
	}
}

// isProbe reports whether a command line is the probe's under another name: the
// checks give it one that a program under judgement cannot know.
func isProbe(argv []string) bool {
	if len(argv) < 2 || strings.HasPrefix(filepath.Base(argv[0]), "lab") {
		return false
	}
	_, ok := probes()[argv[1]]
	return ok
}

// probeHold prints `ready PID`, stays until standard input ends, and says so. The operands
// are a token that others find in /proc/PID/cmdline.
func probeHold(c *call) error {
	if err := c.say("ready %d", os.Getpid()); err != nil {
		return err
	}
	untilEOF(c.in)
	c.printf("end of input\n") // to whoever still listens
	return nil
}

// probeArgv prints every argument, quoted, one a line.
func probeArgv(c *call) error {
	for _, arg := range c.args {
		c.printf("%q\n", arg)
	}
	return nil
}

// probeExit exits with status N.
func probeExit(c *call) error {
	n, err := c.oneNumber()
	if err != nil || n > 255 {
		return misused("want an exit status from 0 to 255")
	}
	if n == 0 {
		return nil
	}
	return status(n)
}

// oneNumber returns the only operand as a number not below 0.
func (c *call) oneNumber() (int, error) {
	if err := c.wants(1, 1); err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(c.args[0])
	if err != nil || n < 0 {
		return 0, misused("%q is not a number", c.args[0])
	}
	return n, nil
}

// probeSignal dies of a signal. As PID 1 it cannot, and says so.
func probeSignal(c *call) error {
	if err := c.wants(1, 1); err != nil {
		return err
	}
	sig, ok := signalByName(c.args[0])
	if !ok {
		return misused("unknown signal %q", c.args[0])
	}
	if err := setDefaultAction(sig); err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		return fmt.Errorf("signal %s to itself: %w", signalName(sig), err)
	}
	time.Sleep(time.Second)
	return fmt.Errorf("signal %s did not end process %d", signalName(sig), os.Getpid())
}

// probePID prints the pid and the parent's pid.
func probePID(c *call) error {
	c.printf("%d %d\n", os.Getpid(), os.Getppid())
	return nil
}

// probeTrap prints `ready`, then the name of every caught signal; it ends after TERM,
// when that is one of them, or when standard input ends.
func probeTrap(c *call) error {
	if err := c.wants(1, -1); err != nil {
		return err
	}
	caught := make(chan os.Signal, 64)
	for _, name := range c.args {
		sig, ok := signalByName(name)
		if !ok {
			return misused("unknown signal %q", name)
		}
		signal.Notify(caught, sig)
	}
	if err := c.say("ready"); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { untilEOF(c.in); close(ended) }()
	for {
		select {
		case sig := <-caught:
			if err := c.say("%s", signalName(sig.(syscall.Signal))); err != nil {
				return err
			}
			if sig == syscall.SIGTERM {
				return nil
			}
		case <-ended:
			return nil
		}
	}
}

// probeSpin burns one CPU for a number of seconds, then prints `spun`.
func probeSpin(c *call) error {
	if err := c.wants(1, 1); err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(c.args[0], 64)
	if err != nil || seconds < 0 || seconds > 3600 {
		return misused("want a number of seconds up to 3600")
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for time.Now().Before(end) {
	}
	return c.say("spun")
}

// probeFDs prints the inherited descriptors, `NUMBER -> TARGET`. What is marked
// close-on-exec was opened after this program began, by it or by its runtime.
func probeFDs(c *call) error {
	numbers, err := openFDs()
	if err != nil {
		return err
	}
	for _, fd := range numbers {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil {
			return err
		}
		c.printf("%d -> %s\n", fd, target)
	}
	return nil
}

// openFDs returns the numbers in /proc/self/fd, sorted. It uses plain system calls, as
// package os opens more descriptors for its poller.
func openFDs() ([]int, error) {
	dir, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", "/proc/self/fd", err)
	}
	defer func() { _ = unix.Close(dir) }() // It was only read.
	var numbers []int
	buf := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil {
			return nil, pathError("getdents", "/proc/self/fd", err)
		}
		if n == 0 {
			slices.Sort(numbers)
			return numbers, nil
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if fd, err := strconv.Atoi(name); err == nil {
				numbers = append(numbers, fd)
			}
		}
	}
}

// probeEscape tries the classic way out of chroot(2): with the working directory
// outside of the root directory, `..` is never stopped by it. It prints what it sees
// in the root it reaches, or `contained`. Where / is the root of the mount namespace,
// as after pivot_root(2), `..` ends there.
func probeEscape(c *call) error {
	if err := c.wants(0, 0); err != nil {
		return err
	}
	var before, after unix.Stat_t
	if err := unix.Stat("/", &before); err != nil {
		return pathError("stat", "/", err)
	}
	parent, dir, err := makeTemp()
	if err != nil {
		return err
	}
	// The directory is removed by descriptor, as paths change their meaning below.
	defer func() {
		_ = unix.Unlinkat(parent, dir, unix.AT_REMOVEDIR) // It is empty and ours.
		_ = unix.Close(parent)                            // Nothing was written.
	}()
	if err := climb(parent, dir); err != nil {
		if errors.Is(err, unix.EPERM) {
			c.printf("contained: %v\n", err)
			return nil
		}
		return err
	}
	if err := unix.Stat("/", &after); err != nil {
		return pathError("stat", "/", err)
	}
	if before.Dev == after.Dev && before.Ino == after.Ino {
		c.printf("contained\n")
		return nil
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries[:min(8, len(entries))] {
		names = append(names, e.Name())
	}
	c.printf("escaped: %d entries in /: %s\n", len(entries), strings.Join(names, " "))
	return nil
}

// makeTemp makes an empty directory and returns its parent, opened, and its name.
func makeTemp() (parent int, name string, err error) {
	for _, place := range []string{"/tmp", "/"} {
		parent, err = unix.Open(place, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			err = pathError("open", place, err)
			continue
		}
		name = fmt.Sprintf("escape-%d", os.Getpid())
		if err = unix.Mkdirat(parent, name, 0o700); err == nil {
			return parent, name, nil
		}
		err = pathError("mkdir", place+"/"+name, err)
		_ = unix.Close(parent) // Nothing was written.
	}
	return -1, "", err
}

// climb makes the directory the root while the working directory stays outside of
// it, goes up as far as possible and makes that the root.
func climb(parent int, dir string) error {
	if err := unix.Fchdir(parent); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	if err := unix.Chroot(dir); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := unix.Fchdir(parent); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	for range 64 {
		if err := unix.Chdir(".."); err != nil {
			return fmt.Errorf("chdir to ..: %w", err)
		}
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return nil
}

// capabilities are the names of the capability bits, in order (capabilities(7)).
var capabilities = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill
	setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw
	ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin
	sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write
	audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read
	perfmon bpf checkpoint_restore`)

// probeCaps prints the capability sets of the process:
//
//	CapEff 00000000a80425fb chown dac_override …
//
// from the lines of /proc/self/status such as `CapEff:	00000000a80425fb`.
func probeCaps(c *call) error {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !strings.HasPrefix(name, "Cap") {
			continue
		}
		value = strings.TrimSpace(value)
		bits, err := strconv.ParseUint(value, 16, 64)
		if err != nil {
			return fmt.Errorf("parse /proc/self/status: %w", err)
		}
		c.printf("%s %s %s\n", name, value, capWords(bits))
	}
	return nil
}

// capWords names the bits of a capability set; none, or all that this kernel has.
func capWords(bits uint64) string {
	if bits == 0 {
		return "none"
	}
	last := len(capabilities) - 1
	if text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			last = n
		}
	}
	if bits == 1<<(last+1)-1 {
		return "all"
	}
	var words []string
	for i := range 64 {
		if bits&(1<<i) == 0 {
			continue
		}
		if i < len(capabilities) {
			words = append(words, capabilities[i])
		} else {
			words = append(words, strconv.Itoa(i))
		}
	}
	return strings.Join(words, " ")
}

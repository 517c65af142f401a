//go:build linux

package box

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// kill sends a signal to processes. A pid of -1 means every process there is and 0
// the own group; both need a word of consent, and all is only ever all of a container.
func kill(c *call) error {
	all, group := false, false
	sig := syscall.SIGTERM
	var targets []string
	for i := 0; i < len(c.args); i++ {
		switch arg := c.args[i]; {
		case arg == "--all":
			all = true
		case arg == "--group":
			group = true
		case arg == "--":
			targets = append(targets, c.args[i+1:]...)
			i = len(c.args)
		case arg == "-l":
			return c.listSignals()
		case arg == "-s" && i+1 < len(c.args):
			i++
			if err := parseSignal(c.args[i], &sig); err != nil {
				return err
			}
		case len(arg) > 1 && arg[0] == '-' && i == 0:
			if err := parseSignal(arg[1:], &sig); err != nil {
				return err
			}
		default:
			targets = append(targets, arg)
		}
	}
	if all || group {
		return killMany(all, group, targets, sig)
	}
	if len(targets) == 0 {
		return misused("missing operand")
	}
	for _, target := range targets {
		c.warn(killOne(target, sig))
	}
	return nil
}

// listSignals prints the signals by number.
func (c *call) listSignals() error {
	for n := syscall.Signal(1); n < 32; n++ {
		c.printf("%2d %s\n", n, signalName(n))
	}
	return nil
}

// parseSignal sets sig to the named signal; 0 only asks whether a process is there.
func parseSignal(name string, sig *syscall.Signal) error {
	if name == "0" {
		*sig = 0
		return nil
	}
	s, ok := signalByName(name)
	if !ok {
		return misused("unknown signal %q", name)
	}
	*sig = s
	return nil
}

// killOne signals one process, or the process group -PGID.
func killOne(target string, sig syscall.Signal) error {
	pid, err := strconv.Atoi(target)
	switch {
	case err != nil:
		return misused("%q is not a pid", target)
	case pid == -1:
		return errors.New("-1 is every process there is: say --all if that is meant")
	case pid == 0:
		return errors.New("0 is this process group: say --group if that is meant")
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("signal %s to %d: %w", signalName(sig), pid, err)
	}
	return nil
}

// initialPIDNamespace is the inode of the machine's own pid namespace, a constant of
// the kernel (PROC_PID_INIT_INO in include/linux/proc_ns.h).
const initialPIDNamespace = "pid:[4026531836]"

// killMany signals the own process group, or all processes of the pid namespace when
// that provably is not the machine's.
func killMany(all, group bool, targets []string, sig syscall.Signal) error {
	if all && group || len(targets) > 0 && targets[0] != "-1" && targets[0] != "0" {
		return misused("--all and --group stand alone")
	}
	if group {
		return syscall.Kill(0, sig)
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return fmt.Errorf("--all needs to know the pid namespace: %w", err)
	}
	if ns == initialPIDNamespace {
		return errors.New("--all: refused in the machine's own pid namespace")
	}
	if err := syscall.Kill(-1, sig); err != nil {
		return fmt.Errorf("signal %s to all other processes: %w", signalName(sig), err)
	}
	return nil
}

//go:build linux

package rootless

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Network is the network namespace that stands for the host's. The host's own, for root,
// is nil.
type Network struct {
	ns, held *os.File

	// Problem is why nothing leads out of it.
	Problem string
}

// OpenNetwork finds the network namespace of the user's containers, or makes it. It stays
// until nobody has it open.
func OpenNetwork(state string) (*Network, error) {
	if !Entered() {
		return nil, nil //nolint:nilnil // As said.
	}
	dir := filepath.Join(state, "network")
	held, err := hold(dir)
	if err != nil {
		return nil, err
	}
	k, err := findOrStart(dir, isOurs, func(word *os.File) error {
		return startNetwork(dir, word)
	})
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/fd/%d", k.Pid, k.Network))
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return &Network{ns: ns, held: held, Problem: k.Problem}, nil
}

// Close gives the namespace back.
func (n *Network) Close() error {
	if n == nil {
		return nil
	}
	return errors.Join(n.ns.Close(), n.held.Close())
}

// isOurs reports whether a keeper is in our user namespace: the network of one that is
// left from another cannot be joined.
func isOurs(k keeper) bool {
	ours, err := os.Stat("/proc/self/ns/user")
	if err != nil {
		return false
	}
	theirs, err := os.Stat(fmt.Sprintf("/proc/%d/ns/user", k.Pid))
	return err == nil && os.SameFile(ours, theirs)
}

// startNetwork starts the keeper of the network namespace.
func startNetwork(dir string, word *os.File) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	process, err := os.StartProcess("/proc/self/exe", []string{KeeperName, dir, "network"},
		&os.ProcAttr{Env: os.Environ(), Files: []*os.File{null, null, null, word}})
	if err != nil {
		return fmt.Errorf("start who keeps the network: %w", err)
	}
	return process.Release()
}

// Do does something there. A thread goes, and never comes back: what is the host's cannot
// be joined by an ordinary user.
//
//	nsenter --net=/proc/KEEPER/fd/N
func (n *Network) Do(f func() error) error {
	if n == nil {
		return f()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // it ends with this goroutine
		if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("setns %s: %w", n.ns.Name(), err)
			return
		}
		done <- f()
	}()
	return <-done
}

// makeNetwork makes the network namespace, and a way out if somebody can. Whoever keeps it
// stays in the host's own, where that somebody has to be.
func (k *keeper) makeNetwork() (stop func(), err error) {
	n := &Network{}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // it ends with this goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.ns, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	k.Network = int(n.ns.Fd())
	// Whoever leads out is to end with us, and us is the thread that has started it.
	runtime.LockOSThread()
	stop = func() { runtime.KeepAlive(n) }
	guide, err := n.findGuide()
	if err == nil {
		stop, err = n.follow(guide)
	}
	if err != nil {
		k.Problem = err.Error()
		stop = func() { runtime.KeepAlive(n) }
	}
	return stop, nil
}

// findGuide finds a program that passes packets between a network namespace and the
// sockets of an ordinary process.
func (n *Network) findGuide() (*exec.Cmd, error) {
	ns := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.ns.Fd())
	for _, words := range []string{
		"slirp4netns --configure --mtu=65520 --disable-host-loopback --netns-type=path " +
			ns + " tap0",
		"pasta --foreground --quiet --config-net --runas 0:0 --tcp-ports none --udp-ports none " +
			"--tcp-ns none --udp-ns none --netns-only --netns " + ns,
	} {
		args := strings.Fields(words)
		if path, err := exec.LookPath(args[0]); err == nil {
			return exec.Command(path, args[1:]...), nil
		}
	}
	return nil, errors.New("neither slirp4netns nor pasta is installed")
}

// follow starts such a program and waits until it leads somewhere.
func (n *Network) follow(guide *exec.Cmd) (stop func(), err error) {
	var said bytes.Buffer
	guide.Stderr = &said
	guide.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := guide.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- guide.Wait() }()
	for {
		select {
		case err := <-ended:
			lines := strings.ReplaceAll(strings.TrimSpace(said.String()), "\n", ", ")
			return nil, fmt.Errorf("%s: %s: %w", filepath.Base(guide.Path), lines, err)
		case <-time.After(5 * time.Millisecond):
		}
		var leads bool
		if err := n.Do(func() (err error) { leads, err = hasWayOut(); return err }); err != nil {
			return nil, errors.Join(err, guide.Process.Kill())
		}
		if leads {
			return func() {
				_ = guide.Process.Kill() // it may have ended
				<-ended                  //nolint:errcheck // Its status is the signal.
				runtime.KeepAlive(n)
			}, nil
		}
	}
}

// hasWayOut reports whether this thread's network has a default route.
//
//	Iface  Destination  Gateway   Flags …
//	tap0   00000000     0202000A  0003
func hasWayOut() (bool, error) {
	text, err := os.ReadFile("/proc/thread-self/net/route")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == "00000000" {
			return true, nil
		}
	}
	return false, err
}

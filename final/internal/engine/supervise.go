//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// MonitorName is the first word of a monitor's command line.
const MonitorName = "mini-monitor"

// Supervise is what a monitor does: it makes ready what the container needs, starts it
// and stays until it has ended. It runs in a process of its own that Start has made, in
// a mount namespace of its own, and holds the container's lock until it is on record that
// the container runs.
func (e *Engine) Supervise(id string, socket, lock *os.File, attach bool) error {
	unix.CloseOnExec(int(lock.Fd()))
	first, err := monitor.NewConn(socket)
	if err != nil {
		return err
	}
	o, err := e.orders(id, lock)
	if err != nil {
		return errors.Join(err, first.SendError(err), first.Close())
	}
	return monitor.Run(o, first, attach)
}

// orders are what the monitor is told, once the root is mounted.
func (e *Engine) orders(id string, lock *os.File) (monitor.Orders, error) {
	c, err := e.read(id)
	if err != nil {
		return monitor.Orders{}, err
	}
	stop, err := stopSignal(c)
	if err != nil {
		return monitor.Orders{}, err
	}
	// What the host mounts and unmounts later is seen here, and nothing the other way.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return monitor.Orders{}, fmt.Errorf("make / a slave mount: %w", err)
	}
	if err := e.claimUpper(c); err != nil {
		return monitor.Orders{}, err
	}
	if err := e.mountRoot(c); err != nil {
		return monitor.Orders{}, err
	}
	return monitor.Orders{
		ID: id, Dir: e.stateDir(id), Bundle: e.bundle(id), Runtime: e.runtime(c),
		Log: c.LogPath, Terminal: c.Config.Tty, OpenStdin: c.Config.OpenStdin,
		Restart: c.HostConfig.RestartPolicy, StopSignal: stop, State: c.State, Tied: c.Tied,
		Check:   healthCheck(c),
		Prepare: func() error { return e.prepare(id) },
		Connect: func(pid int) error { return e.connect(id, pid) },
		Release: func() error { return e.release(c) },
		Process: func(asked []byte) ([]byte, error) { return e.describeExec(c, asked) },
		Save: func(s monitor.State) error {
			err := writeJSON(e.statePath(id), s)
			_ = lock.Close() // from the second time on it is closed
			return err
		},
		Tell:   func(action string, more map[string]string) { e.tellNow(c, action, more) },
		Finish: func(monitor.State) error { return e.finish(c) },
	}, nil
}

// mountRoot mounts the container's layers as one directory:
//
//	mount -t overlay overlay -o lowerdir=INIT:IMAGE…,upperdir=UPPER,workdir=WORK STATE/ID/rootfs
func (e *Engine) mountRoot(c *Container) error {
	root := e.rootfs(c.ID)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	if dir := c.plainRoot(); dir != "" {
		// mount --rbind DIR STATE/ID/rootfs
		if err := unix.Mount(dir, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s on %s: %w", dir, root, err)
		}
		return nil
	}
	lower, err := e.lower(c)
	if err != nil {
		return err
	}
	upper, work := e.upperAndWork(c)
	dirs, done, err := shortNames(append([]string{upper, work}, lower...))
	if err != nil {
		return err
	}
	defer done()
	options := []string{
		"lowerdir=" + strings.Join(dirs[2:], ":"), "upperdir=" + dirs[0], "workdir=" + dirs[1],
	}
	if c.HostConfig.AutoRemove && c.Upper == "" {
		// Nobody will read what it has written: unmounting need not wait for the disk.
		options = append(options, "volatile")
		// What was mounted so before says that it must not be mounted again.
		if err := os.RemoveAll(filepath.Join(work, "work", "incompat")); err != nil {
			return err
		}
	}
	if e.ids.all() {
		// Directories and files are copied up whole, whatever is the kernel's habit: diff
		// and commit see what they would otherwise have to look for in other layers.
		options = append(options, "redirect_dir=off", "metacopy=off")
	} else {
		// Others than the machine's root keep whiteouts in attributes of their own. That
		// means the two above as well, and old kernels refuse to be told both.
		options = append(options, "userxattr")
	}
	data := strings.Join(options, ",")
	if err := unix.Mount("overlay", root, "overlay", 0, data); err != nil {
		return fmt.Errorf("mount overlay on %s (%s): %w", root, data, err)
	}
	return nil
}

// prepare makes ready what the runtime needs, before each start, as the record says now.
func (e *Engine) prepare(id string) error {
	c, err := e.read(id)
	if err != nil {
		return err
	}
	c.State.Status = monitor.Gone // the record says nothing of it, and it does not run
	if err := e.writeNames(c); err != nil {
		return err
	}
	return e.writeBundle(c)
}

// finish cleans up after the last end of a container, of which the runtime knows nothing
// any more. Without the directory of its run erase need not ask it, whose end the monitor
// waits for as it does for that of all its children, and not erase.
func (e *Engine) finish(c *Container) error {
	err := errors.Join(unix.Unmount(e.rootfs(c.ID), unix.MNT_DETACH),
		e.removeWork(c), e.removeState(c.ID))
	if !c.HostConfig.AutoRemove {
		return err
	}
	lock, lockErr := e.lock(c.ID)
	if lockErr != nil {
		return errors.Join(err, lockErr)
	}
	defer lock.Close()
	return errors.Join(err, e.erase(c))
}

package initproc

import (
	"errors"
	"fmt"
	"os"

	"lab/final/internal/plan"
	"lab/final/internal/rootfs"

	"golang.org/x/sys/unix"
)

// console makes a terminal of the container's own devpts init's standard streams, and
// sends the end at which it is typed to whoever listens on the console socket.
func (p *process) console(op plan.Console) error {
	if p.root == nil { // a process that is added later finds the root in place
		root, err := rootfs.Open("/")
		if err != nil {
			return err
		}
		p.root = root
	}
	master, err := openMaster(p.root.OpenFile)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(master) }() // it goes to the client
	slave, err := openSlave(master)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(slave) }() // it is open as 0, 1 and 2
	if op.Rows > 0 || op.Cols > 0 {
		size := &unix.Winsize{Row: op.Rows, Col: op.Cols}
		if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, size); err != nil {
			return fmt.Errorf("set its size: %w", err)
		}
	}
	if err := unix.Fchown(slave, int(op.UID), -1); err != nil {
		return fmt.Errorf("give it to the user %d: %w", op.UID, err)
	}
	if op.Dev {
		if err := p.root.AttachFile(slave, "/dev/console"); err != nil {
			return fmt.Errorf("bind it to /dev/console: %w", err)
		}
	}
	if err := p.sendMaster(master); err != nil {
		return err
	}
	return takeTerminal(slave)
}

// openMaster opens a new terminal at the end where one types. An image, or a volume,
// may have anything as /dev/ptmx: it has to be the multiplexer of a devpts.
func openMaster(open func(name string, flags int) (int, error)) (int, error) {
	fd, err := open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open /dev/ptmx: %w", err)
	}
	var fs unix.Statfs_t
	var st unix.Stat_t
	err = errors.Join(unix.Fstatfs(fd, &fs), unix.Fstat(fd, &st))
	if err == nil && (fs.Type != unix.DEVPTS_SUPER_MAGIC || st.Rdev != unix.Mkdev(5, 2)) {
		err = errors.New("/dev/ptmx: it is not that of a devpts: mount one on /dev/pts")
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// openSlave opens the other end, by the open terminal and not by a name.
func openSlave(master int) (int, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, fmt.Errorf("unlock the terminal: %w", err)
	}
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, flags)
	if errno != 0 {
		return -1, fmt.Errorf("open the terminal's other end: %w", errno)
	}
	return int(slave), nil
}

// sendMaster sends the terminal to the client, with its name in the message.
func (p *process) sendMaster(master int) error {
	socket, ok := p.job.Files["fd:console"]
	if !ok {
		return errors.New("nobody waits for it: there is no console socket")
	}
	err := unix.Sendmsg(socket, []byte("/dev/ptmx"), unix.UnixRights(master), nil, 0)
	if err != nil {
		return fmt.Errorf("send it to the console socket: %w", err)
	}
	return unix.Close(socket)
}

// takeTerminal makes an open terminal that of init's session, and its standard streams.
func takeTerminal(slave int) error {
	if err := unix.IoctlSetInt(slave, unix.TIOCSCTTY, 0); err != nil {
		return fmt.Errorf("make it the session's: %w", err)
	}
	for _, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if err := unix.Dup3(slave, int(file.Fd()), 0); err != nil {
			return err
		}
	}
	return nil
}

//go:build linux

package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/inspect"
)

// playExec shows that nothing is isolated yet, and arguments that a shell, or
// whoever joins and splits them, would change.
func playExec(ctx context.Context, s *stage) error {
	began := time.Now()
	held, err := s.HoldWith(ctx, []string{s.Word("a b"), "", "*"})
	if err := s.take(held, err, began); err != nil {
		return err
	}
	for _, kind := range []string{"uts", "pid", "mnt", "net"} {
		if err := s.namespace(kind, false); err != nil {
			return err
		}
	}
	args, err := inspect.Cmdline(s.held.PID)
	if err != nil {
		return err
	}
	given := s.held.Args[2:]             // of `00-exec run COMMAND [ARG…]`
	last := func(args []string) string { // without the agent's own: PROBE hold TOKEN
		return strings.Join(check.ShellWords(args[min(3, len(args)):]), " ")
	}
	s.demand("arguments", last(given), last(args),
		fmt.Sprintf("tr '\\0' '\\n' </proc/%d/cmdline", s.held.PID),
		slices.Equal(given, args), "they are not those that were given")
	return nil
}

// playUTS shows the host name.
func playUTS(ctx context.Context, s *stage) error {
	name := s.Word("box")
	if err := s.hold(ctx, false, "", "-hostname", name); err != nil {
		return err
	}
	host, errHost := os.Hostname()
	inside, errInside := inspect.Hostname(s.held.PID)
	if err := errors.Join(errHost, errInside); err != nil {
		return err
	}
	fault := ""
	switch {
	case inside != name:
		fault = "it is not the one that was given"
	case host == name:
		fault = "it is the host's, too"
	}
	s.show("hostname", host, inside, fmt.Sprintf("nsenter -t %d -u hostname", s.held.PID), fault)
	return s.namespace("uts", true)
}

// playPID shows the two numbers of the container's first process.
func playPID(ctx context.Context, s *stage) error {
	if err := s.hold(ctx, false, ""); err != nil {
		return err
	}
	st, err := inspect.ReadStatus(s.held.Init)
	if err != nil {
		return err
	}
	own := st.NSpid[len(st.NSpid)-1]
	s.demand("pid of init", fmt.Sprint(s.held.Init), fmt.Sprint(own),
		fmt.Sprintf("grep NSpid /proc/%d/status", s.held.Init),
		own == 1 && len(st.NSpid) > 1, "it is not the first of a namespace of its own")
	all, err := inspect.Processes()
	if err != nil {
		return err
	}
	inside := 0
	namespace, err := inspect.Namespace(s.held.PID, "pid")
	if err != nil {
		return err
	}
	for _, pid := range all {
		if n, err := inspect.Namespace(pid, "pid"); err == nil && n == namespace {
			inside++
		}
	}
	s.differs("processes", fmt.Sprint(len(all)), fmt.Sprint(inside),
		fmt.Sprintf("lsns -t pid -p %d", s.held.PID))
	if err := s.namespace("pid", true); err != nil {
		return err
	}
	return s.namespace("mnt", false)
}

// playMount shows the root directory.
func playMount(ctx context.Context, s *stage) error {
	if err := s.hold(ctx, true, "", "-rootfs", s.Root); err != nil {
		return err
	}
	if err := s.root(); err != nil {
		return err
	}
	host, errHost := inspect.Mounts(os.Getpid())
	inside, errInside := inspect.Mounts(s.held.PID)
	if err := errors.Join(errHost, errInside); err != nil {
		return err
	}
	s.show("mounts", fmt.Sprint(len(host)), fmt.Sprint(len(inside)),
		fmt.Sprintf("cat /proc/%d/mountinfo", s.held.PID), inCommon(host, inside))
	shown := 0
	for _, name := range entries(fmt.Sprintf("/proc/%d/root/proc", s.held.PID)) {
		if strings.Trim(name, "0123456789") == "" {
			shown++
		}
	}
	all, err := inspect.Processes()
	if err != nil {
		return err
	}
	first := fmt.Sprintf("/proc/%d/root/proc/1/ns/pid", s.held.PID)
	own, err := inspect.Namespace(s.held.PID, "pid")
	if err != nil {
		return err
	}
	var st unix.Stat_t
	err = unix.Stat(first, &st)
	s.demand("processes in /proc", fmt.Sprint(len(all)), fmt.Sprint(shown),
		fmt.Sprintf("ls /proc/%d/root/proc", s.held.PID),
		err == nil && st.Ino == own, "process 1 in it is not the container's")
	return s.namespace("mnt", true)
}

// inCommon says which mount is in both tables, if one is: numbers of mounts may
// agree by chance, their ids do not.
func inCommon(host, inside []*mountinfo.Info) string {
	points := map[int]string{}
	for _, m := range host {
		points[m.ID] = m.Mountpoint
	}
	for _, m := range inside {
		if point, both := points[m.ID]; both {
			return "the host's mount on " + point + " is among them"
		}
	}
	return ""
}

// root shows what the root directory is and what is in it. Who enters a mount
// namespace comes to its root, not to that of the processes in it: with chroot(2)
// these are two.
func (s *stage) root() error {
	path := fmt.Sprintf("/proc/%d/root/", s.held.PID)
	host, inside, entered := fileID("/"), fileID(path), "none"
	err := inspect.In(s.held.PID, []string{"mnt"}, func() error {
		entered = fileID("/")
		return nil
	})
	if err != nil {
		return err
	}
	s.differs("/ is device:inode", host, inside, "stat "+path)
	s.demand("root of its namespace", host, entered,
		fmt.Sprintf("nsenter -t %d -m stat /", s.held.PID),
		entered == inside, "another root is still there: it was changed with chroot(2)")
	s.differs("ls /", strings.Join(entries("/"), " "), strings.Join(entries(path), " "), "ls "+path)
	return nil
}

// entries returns the names in a directory, none if it cannot be read.
func entries(dir string) []string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

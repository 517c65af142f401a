package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Root gives a container ids that no user has, and that neither useradd(8) nor
// systemd ever hands out.
const firstID, manyIDs = 2_000_000_000, 65536

// planIDs chooses the ids of the host that the container may use, on the host.
// Its root is the caller; where the caller is root, it is nobody at all.
func planIDs(c *container, attr *os.ProcAttr) error {
	u := &c.User
	u.uids = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
	u.gids = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	if os.Geteuid() == 0 {
		return giveIDs(c, attr)
	}
	u.helped = subordinate(&u.uids, "newuidmap", "/etc/subuid", os.Geteuid()) &&
		subordinate(&u.gids, "newgidmap", "/etc/subgid", os.Geteuid())
	if !u.helped {
		u.uids, u.gids = u.uids[:1], u.gids[:1]
	}
	return nil
}

// giveIDs has root give the container ids of its own, on the host, and with
// them what it needs: it could not get there through root's home, and would
// find root's files nobody's. A root that itself lives in a user namespace may
// not have so many ids: then its own is used, which is not root outside.
func giveIDs(c *container, attr *os.ProcAttr) error {
	for _, file := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !holds(string(text), firstID, manyIDs) {
			return nil
		}
	}
	c.User.uids = []syscall.SysProcIDMap{{HostID: firstID, Size: manyIDs}}
	c.User.gids = c.User.uids
	// The child could not leave root's groups: setgroups is denied to it.
	if err := unix.Setgroups(nil); err != nil {
		return fmt.Errorf("setgroups to none: %w", err)
	}
	return lend(c, attr)
}

// holds reports whether a map has all ids from first on inside.
//
//	         0          0 4294967295
//	(1)inside  (2)outside  (3)how many
func holds(text string, first, size int) bool {
	for line := range strings.Lines(text) {
		var inside, outside, count int
		n, _ := fmt.Sscan(line, &inside, &outside, &count)
		if n == 3 && inside <= first && first+size <= inside+count {
			return true
		}
	}
	return false
}

// mapIDs has the setuid helpers map a range of ids, on the host, for one who
// is not root may map no id but the own one. Then it tells the child.
func mapIDs(c *container) error {
	if !c.User.helped {
		return shiftOwners(c)
	}
	setgroups := fmt.Sprintf("/proc/%d/setgroups", c.child.Pid)
	// A process that could drop a group would get at the files from which that
	// group is shut out.
	// echo deny > /proc/PID/setgroups
	if err := os.WriteFile(setgroups, []byte("deny"), 0); err != nil {
		return err
	}
	err := errors.Join(
		mapRange("newuidmap", "uid_map", c.User.uids, c.child.Pid),
		mapRange("newgidmap", "gid_map", c.User.gids, c.child.Pid),
	)
	if err != nil {
		return err
	}
	if _, err := c.gate.WriteString("\n"); err != nil {
		return fmt.Errorf("tell the child of its ids: %w", err)
	}
	return nil
}

// mapRange writes one map, on the host: by the helper, or, where that may not
// do it, with the one id that nobody needs help for.
//
//	newuidmap PID 0 1000 1 1 100000 65536
func mapRange(helper, file string, ids []syscall.SysProcIDMap, pid int) error {
	args := []string{strconv.Itoa(pid)}
	for _, m := range ids {
		args = append(args, strconv.Itoa(m.ContainerID),
			strconv.Itoa(m.HostID), strconv.Itoa(m.Size))
	}
	said, err := exec.Command(helper, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	say(fmt.Errorf("%s: %s; only your own id is mapped",
		helper+" "+strings.Join(args, " "), bytes.TrimSpace(said)), "")
	// echo 0 1000 1 > /proc/PID/uid_map
	own := fmt.Sprintf("0 %d 1", ids[0].HostID)
	return os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, file), []byte(own), 0)
}

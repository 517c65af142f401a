package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// switches are the switches of distributions and administrators for user
// namespaces, with the value that forbids them and one that does not.
var switches = [...]struct{ name, forbids, allows string }{
	{"user.max_user_namespaces", "0", "10000"},
	{"kernel.unprivileged_userns_clone", "0", "1"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
}

// forbidden names the setting for which the kernel refuses what was tried.
func forbidden(c *container, tried string, err error) error {
	ways := []string{
		c.User.AsRoot,
		"cd vagrant && vagrant up && vagrant ssh",
	}
	err = fmt.Errorf("%s: %w", tried, err)
	isRoot := os.Geteuid() == 0 && os.Args[0] != "init"
	if name, allows := findSetting("/proc/sys", isRoot); name != "" {
		err = fmt.Errorf("%w: %s forbids it", err, name)
		ways = []string{ways[0], "sudo sysctl " + name + "=" + allows, ways[1]}
	}
	return hinted{err, strings.Join(ways, "\nhint: ")}
}

// findSetting looks under /proc/sys for a setting that forbids user
// namespaces, and returns the value that allows them. Not every kernel has all
// of them, and only the first is for root as well.
//
//	sysctl user.max_user_namespaces
func findSetting(sys string, isRoot bool) (name, allows string) {
	for _, s := range switches {
		path := filepath.Join(sys, strings.ReplaceAll(s.name, ".", "/"))
		text, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(text)) == s.forbids {
			return s.name, s.allows
		}
		if isRoot {
			break
		}
	}
	return "", ""
}

// withoutUser takes the flag -user from a command line: root needs none.
func withoutUser(line string) string {
	for _, flag := range []string{" --user", " -user"} {
		if before, after, ok := strings.Cut(line, flag+" "); ok {
			return before + " " + after
		}
	}
	return line
}

// checkRights finds out whether capabilities count here, in the container.
// AppArmor may allow the namespace and then deny its root every right.
func checkRights(c *container) error {
	if !c.User.On {
		return nil
	}
	err := setHostname(c)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return forbidden(c, "use the rights of uid 0", err)
	}
	return err
}

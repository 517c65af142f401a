package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// refusal is the error of a kernel that forbids user namespaces, with the ways
// on that are left.
type refusal struct {
	error
	hint string
}

// settings are the switches of distributions and administrators for user
// namespaces, with the value that forbids them and one that does not.
var settings = [...]struct{ name, forbids, allows string }{
	{"user.max_user_namespaces", "0", "10000"},
	{"kernel.unprivileged_userns_clone", "0", "1"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
}

// forbidden names the setting for which the kernel refuses what was tried.
func forbidden(tried string, err error) error {
	ways := []string{
		withoutUser(asRoot()),
		"cd vagrant && vagrant up && vagrant ssh",
	}
	err = fmt.Errorf("%s: %w", tried, err)
	if name, value, allows := findSetting("/proc/sys"); name != "" {
		err = fmt.Errorf("%w: %s is %s", err, name, value)
		ways = []string{ways[0], "sudo sysctl " + name + "=" + allows, ways[1]}
	}
	return refusal{err, strings.Join(ways, "\nhint: ")}
}

// findSetting looks under /proc/sys for a setting that forbids user
// namespaces. Not every kernel has all of them.
// sysctl user.max_user_namespaces
func findSetting(sys string) (name, value, allows string) {
	for _, s := range settings {
		path := filepath.Join(sys, strings.ReplaceAll(s.name, ".", "/"))
		text, err := os.ReadFile(path)
		value := strings.TrimSpace(string(text))
		if err == nil && value == s.forbids {
			return s.name, value, s.allows
		}
	}
	return "", "", ""
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
		return forbidden("use the rights of uid 0", err)
	}
	return err
}

//go:build linux

package box

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// id prints the user and group ids of the process. Ids without a name in /etc/passwd
// or /etc/group are printed as numbers alone.
func id(c *call) error {
	o, err := c.parse("ugGn")
	if err == nil {
		err = c.wants(0, 0)
	}
	if err != nil {
		return err
	}
	groups, err := os.Getgroups()
	if err != nil {
		return fmt.Errorf("getgroups: %w", err)
	}
	if !slices.Contains(groups, os.Getegid()) {
		groups = append([]int{os.Getegid()}, groups...)
	}
	show := func(file string, id int) string {
		if o.has("n") {
			return nameOf(file, id, strconv.Itoa(id))
		}
		return strconv.Itoa(id)
	}
	switch {
	case o.has("u"):
		c.printf("%s\n", show("/etc/passwd", os.Geteuid()))
	case o.has("g"):
		c.printf("%s\n", show("/etc/group", os.Getegid()))
	case o.has("G"):
		names := make([]string, len(groups))
		for i, g := range groups {
			names[i] = show("/etc/group", g)
		}
		c.printf("%s\n", strings.Join(names, " "))
	default:
		c.printf("uid=%s gid=%s groups=", named("/etc/passwd", os.Geteuid()),
			named("/etc/group", os.Getegid()))
		for i, g := range groups {
			c.printf("%s%s", strings.Repeat(",", min(i, 1)), named("/etc/group", g))
		}
		c.printf("\n")
	}
	return nil
}

// named returns 0(root), or 1000 where the id has no name.
func named(file string, id int) string {
	number := strconv.Itoa(id)
	if name := nameOf(file, id, ""); name != "" {
		return number + "(" + name + ")"
	}
	return number
}

// whoami prints the name of the effective user.
func whoami(c *call) error {
	c.printf("%s\n", userName(os.Geteuid()))
	return nil
}

// hostname prints the host name of the UTS namespace, or sets it.
func hostname(c *call) error {
	if _, err := c.parse(""); err != nil {
		return err
	}
	if err := c.wants(0, 1); err != nil {
		return err
	}
	if len(c.args) == 0 {
		c.printf("%s\n", nodeName())
		return nil
	}
	if err := unix.Sethostname([]byte(c.args[0])); err != nil {
		return fmt.Errorf("sethostname %q: %w", c.args[0], err)
	}
	return nil
}

// uname prints what uname(2) tells of the kernel.
func uname(c *call) error {
	o, err := c.parse("asnrvmo")
	if err == nil {
		err = c.wants(0, 0)
	}
	if err != nil {
		return err
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	fields := []struct{ option, value string }{
		{"s", unix.ByteSliceToString(uts.Sysname[:])},
		{"n", unix.ByteSliceToString(uts.Nodename[:])},
		{"r", unix.ByteSliceToString(uts.Release[:])},
		{"v", unix.ByteSliceToString(uts.Version[:])},
		{"m", unix.ByteSliceToString(uts.Machine[:])},
		{"o", "GNU/Linux"},
	}
	var shown []string
	for _, f := range fields {
		if o.has(f.option, "a") || len(o) == 0 && f.option == "s" {
			shown = append(shown, f.value)
		}
	}
	c.printf("%s\n", strings.Join(shown, " "))
	return nil
}

// nproc prints the number of CPUs the process may run on. A cgroup's CPU limit does
// not change it.
func nproc(c *call) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	c.printf("%d\n", set.Count())
	return nil
}

// free prints /proc/meminfo as the well-known program of that name does, so in a
// container it shows the memory of the whole machine.
//
//	MemTotal:        8147252 kB
//	MemFree:         5331120 kB
func free(c *call) error {
	o, err := c.parse("kmh")
	if err != nil {
		return err
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	kib := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		if fields := strings.Fields(rest); len(fields) > 0 {
			kib[name], _ = strconv.ParseUint(fields[0], 10, 64) // 0 where it is no number.
		}
	}
	show := func(n uint64) string {
		switch {
		case o.has("h"):
			return human(n * 1024)
		case o.has("m"):
			return strconv.FormatUint(n/1024, 10)
		}
		return strconv.FormatUint(n, 10)
	}
	cache := kib["Buffers"] + kib["Cached"] + kib["SReclaimable"]
	total, idle := kib["MemTotal"], kib["MemFree"]
	used := total - min(total, idle+cache)
	c.printf("%-6s%12s%12s%12s%12s%12s%12s\n", "", "total", "used", "free", "shared",
		"buff/cache", "available")
	c.printf("%-6s%12s%12s%12s%12s%12s%12s\n", "Mem:", show(total), show(used), show(idle),
		show(kib["Shmem"]), show(cache), show(kib["MemAvailable"]))
	c.printf("%-6s%12s%12s%12s\n", "Swap:", show(kib["SwapTotal"]),
		show(kib["SwapTotal"]-kib["SwapFree"]), show(kib["SwapFree"]))
	return nil
}

// tty prints the terminal on standard input.
func tty(c *call) error {
	if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err != nil {
		c.printf("not a tty\n")
		return status(1)
	}
	name, err := os.Readlink("/proc/self/fd/0")
	if err != nil {
		return err
	}
	c.printf("%s\n", name)
	return nil
}

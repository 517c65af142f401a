//go:build linux

package trace

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// writeWords tell what a write to a kernel file sets.
func (c *Call) writeWords() words {
	file, text := c.arg(0).str, strings.TrimSpace(c.arg(1).str)
	w := words{
		"write", fmt.Sprintf("%q to %s", text, file),
		"echo " + shellQuote(text) + " > " + shellQuote(file), "",
	}
	if text == "" {
		w.shell = ""
	}
	dir, name := filepath.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	switch name {
	case "uid_map":
		w.verb, w.rest = "map", "users: "+mapping(text)
	case "gid_map":
		w.verb, w.rest = "map", "groups: "+mapping(text)
	case "setgroups":
		w.verb = pick(text == "deny", "forbid", "allow")
		w.rest = "setgroups(2) in the user namespace"
	case "cgroup.procs", "tasks":
		w.verb, w.rest = "put", pick(text == "0", "itself", "process "+text)+" into the cgroup "+dir
	case "cgroup.subtree_control":
		w.verb = "hand"
		w.rest = pick(text == "", "no controllers", text) + " to the cgroups below " + dir
	case "oom_score_adj":
		w.verb, w.rest = "set", "how soon the OOM killer takes it: "+text
	case "timens_offsets":
		w.verb, w.rest = "set", "the clocks of the new time namespace: "+text
	default:
		if verb, rest := limit(name, text); verb != "" {
			w.verb, w.rest = verb, rest+" in the cgroup "+dir
		} else if key, ok := strings.CutPrefix(file, "/proc/sys/"); ok {
			setting := strings.ReplaceAll(key, "/", ".") + "=" + text
			w.verb, w.rest = "set", "the kernel setting "+setting
			w.shell = "sysctl -w " + shellQuote(setting)
		}
	}
	return w
}

// mapping puts the lines of a map into words.
//
//	0 1000 1
func mapping(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		var inside, out, count uint64
		if n, _ := fmt.Sscan(line, &inside, &out, &count); n < 3 {
			return text
		}
		part := fmt.Sprintf("%d inside is %d outside", inside, out)
		if count > 1 {
			part = fmt.Sprintf("%d to %d inside are %d to %d outside",
				inside, inside+count-1, out, out+count-1)
		}
		parts = append(parts, part)
	}
	return enumerate(parts)
}

// limit puts a setting of a cgroup into words; see cgroups(7). Other files are
// left to the general phrase.
func limit(name, text string) (verb, rest string) {
	switch name {
	case "memory.max", "memory.limit_in_bytes":
		return "limit", "memory to " + size(text)
	case "memory.swap.max":
		return "limit", "swap to " + size(text)
	case "memory.memsw.limit_in_bytes":
		return "limit", "memory and swap together to " + size(text)
	case "memory.high":
		return "slow", "down beyond " + size(text) + " of memory"
	case "pids.max":
		return "limit", "processes and threads to " + text
	case "cpu.max":
		quota, period, _ := strings.Cut(text, " ")
		return "limit", "CPU time to " + quota + " of every " +
			pick(period == "", "period", period) + " microseconds"
	case "cpu.cfs_quota_us":
		return "limit", "CPU time to " + text + " microseconds a period"
	case "cpu.cfs_period_us":
		return "set", "the period of CPU time to " + text + " microseconds"
	case "cpu.weight", "cpu.shares":
		return "weigh", "the share of CPU time with " + text
	case "cpuset.cpus", "cpuset.mems":
		return "confine", "processes to " + strings.TrimPrefix(name, "cpuset.") + " " + text
	case "devices.deny":
		return "forbid", "devices: " + text
	case "devices.allow":
		return "allow", "devices: " + text
	case "cgroup.freeze", "freezer.state":
		return "set", "whether its processes are frozen: " + text
	case "cgroup.kill":
		return "kill", "all processes"
	}
	return "", ""
}

// size puts a number of bytes into words: 31457280 is 30 MiB.
func size(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	switch {
	case err != nil:
		return text // max
	case n < 0:
		return "no limit"
	case n >= gib && n%gib == 0:
		return fmt.Sprintf("%d GiB", n/gib)
	case n >= mib && n%mib == 0:
		return fmt.Sprintf("%d MiB", n/mib)
	case n >= kib && n%kib == 0:
		return fmt.Sprintf("%d KiB", n/kib)
	}
	return fmt.Sprintf("%d bytes", n)
}

// cgroupWords tell of a cgroup that is made or removed, which mkdir(2) and
// rmdir(2) do.
func (c *Call) cgroupWords() words {
	at := 0
	if strings.HasSuffix(c.Name, "at") {
		at = 1
	}
	dir := c.arg(at).str
	if at == 1 && !filepath.IsAbs(dir) && c.arg(0).str != "" {
		dir = filepath.Join(c.arg(0).str, dir)
	}
	if strings.HasPrefix(c.Name, "mkdir") {
		return words{"make", "the cgroup " + dir, command("mkdir", dir), ""}
	}
	return words{"remove", "the cgroup " + dir, command("rmdir", dir), ""}
}

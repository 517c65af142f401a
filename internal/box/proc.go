//go:build linux

package box

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one directory of /proc.
type process struct {
	pid, ppid int
	uid       int
	state     string
	command   string // the command line, or [name] where there is none
	name      string
}

// processes reads /proc, sorted by pid. What it shows are the processes of the pid
// namespace in which that /proc was mounted.
func processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := readProcess(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // It ended meanwhile.
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, errors.New("no process in /proc: is it mounted? mount -t proc proc /proc")
	}
	slices.SortFunc(list, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	return list, nil
}

// readProcess reads /proc/PID/stat, cmdline and the owner of the directory's files.
//
//	14 (sleep) S 1 14 14 …
//	(1) (2)   (3)(4)
//
// (1) pid, (2) name, which may hold spaces and parentheses, (3) state, (4) parent.
func readProcess(pid int) (process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return process{}, err
	}
	open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("parse %s/stat: no name in %q", dir, text)
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 2 {
		return process{}, fmt.Errorf("parse %s/stat: too short: %q", dir, text)
	}
	p := process{pid: pid, state: fields[0], name: string(text[open+1 : end])}
	if p.ppid, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, fmt.Errorf("parse %s/stat: %w", dir, err)
	}
	cmdline, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return process{}, err
	}
	p.command = strings.ReplaceAll(strings.TrimRight(string(cmdline), "\x00"), "\x00", " ")
	if p.command == "" {
		p.command = "[" + p.name + "]"
	}
	p.uid, err = statusID(dir + "/status")
	return p, err
}

// statusID returns the effective uid.
//
//	Uid:	0	1000	0	0
//	        (1) (2)
//
// (1) real, (2) effective.
func statusID(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			if fields := strings.Fields(ids); len(fields) == 4 {
				return strconv.Atoi(fields[1])
			}
		}
	}
	return 0, fmt.Errorf("parse %s: no Uid line", path)
}

// ps lists all processes of /proc. The usual ways to ask for all of them, -e, -ef
// and aux, are accepted and print the same.
func ps(c *call) error {
	if len(c.args) == 1 && (c.args[0] == "aux" || c.args[0] == "ax") {
		c.args = nil
	}
	if _, err := c.parse("efAawx"); err != nil {
		return err
	}
	if err := c.wants(0, 0); err != nil {
		return err
	}
	list, err := processes()
	if err != nil {
		return err
	}
	c.printf("%5s %5s %-8s %-4s %s\n", "PID", "PPID", "USER", "STAT", "COMMAND")
	for _, p := range list {
		user := nameOf("/etc/passwd", p.uid, strconv.Itoa(p.uid))
		c.printf("%5d %5d %-8s %-4s %s\n", p.pid, p.ppid, user, p.state, p.command)
	}
	return nil
}

// pstree draws the processes as a tree, with -p their pids.
func pstree(c *call) error {
	o, err := c.parse("pA")
	if err != nil {
		return err
	}
	list, err := processes()
	if err != nil {
		return err
	}
	children := map[int][]process{}
	known := map[int]bool{}
	for _, p := range list {
		children[p.ppid] = append(children[p.ppid], p)
		known[p.pid] = true
	}
	for _, p := range list {
		// A parent outside of the pid namespace is shown as 0.
		if !known[p.ppid] {
			c.tree(children, p, "", o.has("p"))
		}
	}
	return nil
}

// tree draws one process and those below it.
func (c *call) tree(children map[int][]process, p process, indent string, pids bool) {
	name, _, _ := strings.Cut(p.command, " ")
	name = name[strings.LastIndexByte(name, '/')+1:]
	if pids {
		name += fmt.Sprintf("(%d)", p.pid)
	}
	if p.state == "Z" {
		name += " zombie"
	}
	c.printf("%s\n", name)
	below := children[p.pid]
	for i, child := range below {
		if i == len(below)-1 {
			c.printf("%s└─", indent)
			c.tree(children, child, indent+"  ", pids)
		} else {
			c.printf("%s├─", indent)
			c.tree(children, child, indent+"│ ", pids)
		}
	}
}

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
	if all && group || len(targets) > 1 || len(targets) == 1 && targets[0] != "-1" && targets[0] != "0" {
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
	return syscall.Kill(-1, sig)
}

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

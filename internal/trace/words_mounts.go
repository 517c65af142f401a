//go:build linux

package trace

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountOption is a flag of mount(2) as an option of mount(8).
type mountOption struct {
	flag uint64
	name string
}

// mountOptions are those that mean a restriction.
var mountOptions = []mountOption{
	{unix.MS_RDONLY, "ro"},
	{unix.MS_NOSUID, "nosuid"},
	{unix.MS_NODEV, "nodev"},
	{unix.MS_NOEXEC, "noexec"},
	{unix.MS_NOATIME, "noatime"},
	{unix.MS_RELATIME, "relatime"},
	{unix.MS_STRICTATIME, "strictatime"},
	{unix.MS_NODIRATIME, "nodiratime"},
	{unix.MS_NOSYMFOLLOW, "nosymfollow"},
}

// attrOptions are the same of the newer calls.
var attrOptions = []mountOption{
	{unix.MOUNT_ATTR_RDONLY, "ro"},
	{unix.MOUNT_ATTR_NOSUID, "nosuid"},
	{unix.MOUNT_ATTR_NODEV, "nodev"},
	{unix.MOUNT_ATTR_NOEXEC, "noexec"},
	{unix.MOUNT_ATTR_NOATIME, "noatime"},
	{unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
	{unix.MOUNT_ATTR_IDMAP, "X-mount.idmap"},
}

// optionsOf returns the options that flags stand for.
func optionsOf(table []mountOption, value uint64) []string {
	var options []string
	for _, o := range table {
		if value&o.flag != 0 {
			options = append(options, o.name)
		}
	}
	return options
}

// mountWords tell what a call of the old family does to the tree of mounts.
func (c *Call) mountWords(p *process) words {
	switch c.Name {
	case "mount":
		return c.oldMountWords(p)
	case "umount", "umount2":
		target, option := p.resolve(c.arg(0).str), ""
		w := words{verb: "unmount", rest: target}
		if c.arg(1).num&unix.MNT_DETACH != 0 {
			option, w.note = "-l", "what still uses it keeps it"
		}
		w.shell = strings.Join(strings.Fields("umount "+option+" "+shellQuote(target)), " ")
		return w
	case "pivot_root":
		fresh, old := c.arg(0).str, c.arg(1).str
		w := words{
			"make", fresh + " the root of its mount namespace",
			command("pivot_root", fresh, old), "the old root is at " + old,
		}
		if fresh == old {
			w.note = "the old root lies on top of it until it is unmounted"
		}
		return w
	}
	return words{
		"take", c.arg(0).str + " for /", command("chroot", c.arg(0).str),
		"its mount namespace keeps the old root",
	}
}

// oldMountWords tell which of its six jobs mount(2) does: the flags say so, in
// this order.
func (c *Call) oldMountWords(p *process) words {
	source, target, fstype := p.resolve(c.arg(0).str), p.resolve(c.arg(1).str), c.arg(2).str
	value, data := c.arg(3).num, c.arg(4).str
	options := optionsOf(mountOptions, value)
	recursive := value&unix.MS_REC != 0
	switch {
	case value&unix.MS_REMOUNT != 0:
		if value&unix.MS_BIND != 0 {
			options = append(options, "bind")
		}
		if data != "" {
			options = append(options, data)
		}
		list := strings.Join(append([]string{"remount"}, options...), ",")
		return words{"change", "the options of " + target, command("mount", "-o", list, target), ""}
	case value&unix.MS_BIND != 0:
		w := words{
			"show", source + " at " + target + " as well",
			command("mount", pick(recursive, "--rbind", "--bind"), source, target), "",
		}
		if recursive {
			w.note = "with the mounts below it"
		}
		return w
	case value&(unix.MS_SHARED|unix.MS_PRIVATE|unix.MS_SLAVE|unix.MS_UNBINDABLE) != 0:
		return propagationWords(value, target)
	case value&unix.MS_MOVE != 0:
		return words{
			"move", "the mount " + source + " to " + target,
			command("mount", "--move", source, target), "",
		}
	}
	what := pick(fstype == "", "a file system", kindOf(fstype))
	w := words{verb: "mount", rest: what + " on " + target}
	argv := []string{"mount"}
	if fstype != "" {
		argv = append(argv, "-t", fstype)
	}
	if data != "" {
		options = append(options, data)
	}
	if len(options) > 0 {
		argv = append(argv, "-o", strings.Join(options, ","))
	}
	w.shell = command(append(argv, pick(source == "", "none", source), target)...)
	return w
}

// kindOf puts a type of file system into words.
func kindOf(fstype string) string {
	switch fstype {
	case "proc":
		return "a view of its pid namespace's processes (proc)"
	case "sysfs":
		return "a view of the kernel's devices (sysfs)"
	case "tmpfs":
		return "an empty file system in memory (tmpfs)"
	case "devpts":
		return "terminals of its own (devpts)"
	case "overlay":
		return "layers as one tree (overlay)"
	case "mqueue":
		return "its message queues (mqueue)"
	case "cgroup", "cgroup2":
		return "a view of its cgroups (" + fstype + ")"
	}
	return fstype
}

// propagationWords tell who hears of a mount's later changes.
func propagationWords(value uint64, target string) words {
	recursive := value&unix.MS_REC != 0
	subject := pick(recursive, "the mounts from "+target+" down", "the mount "+target)
	for _, p := range []struct {
		flag       uint64
		name, note string
	}{
		{unix.MS_PRIVATE, "private", "no mount event passes in or out any more"},
		{unix.MS_SLAVE, "slave", "mount events come in, none goes out"},
		{unix.MS_SHARED, "shared", "mount events pass both ways"},
		{unix.MS_UNBINDABLE, "unbindable", "nor can they be bound elsewhere"},
	} {
		if value&p.flag != 0 {
			return words{
				"make", subject + " " + p.name,
				command("mount", "--make-"+pick(recursive, "r", "")+p.name, target), p.note,
			}
		}
	}
	return words{}
}

// newMountWords tell of the newer calls, which handle a mount as a descriptor.
func (c *Call) newMountWords() words {
	switch c.Name {
	case "fsopen":
		return words{
			"begin", "a new " + c.arg(0).str + " file system", "",
			"with fsconfig, fsmount and move_mount it is mount -t " + c.arg(0).str,
		}
	case "fsconfig":
		return c.fsconfigWords()
	case "fsmount":
		return words{"make", "the file system a mount that is nowhere yet", "", ""}
	case "fspick":
		return words{"pick", "the file system at " + c.arg(1).str + " to change it", "", ""}
	case "move_mount":
		from, to := c.place(0), c.place(2)
		return words{
			"put", "the mount " + from + " at " + to,
			command("mount", "--move", from, to), "",
		}
	case "mount_setattr":
		return c.setattrWords()
	}
	from, flagsValue := c.place(0), c.arg(2).num
	if flagsValue&unix.OPEN_TREE_CLONE == 0 {
		return words{"open", "the mount at " + from, "", ""}
	}
	return words{
		"copy", "the mount of " + from + ", to be put elsewhere", "",
		"with move_mount it is mount " +
			pick(flagsValue&unix.AT_RECURSIVE != 0, "--rbind", "--bind"),
	}
}

// place returns the path of a directory's descriptor and a path from there.
func (c *Call) place(i int) string {
	path := c.arg(i + 1).str
	if path == "" {
		return c.arg(i).str
	}
	return path
}

// fsconfigWords tell of one option of a file system to be.
func (c *Call) fsconfigWords() words {
	key, value := c.arg(2).str, c.arg(3).str
	switch c.arg(1).num {
	case unix.FSCONFIG_CMD_CREATE, unix.FSCONFIG_CMD_RECONFIGURE:
		return words{"have", "the kernel make the file system as configured", "", ""}
	case unix.FSCONFIG_SET_FLAG:
		return words{"set", "the option " + key, "mount -o " + shellQuote(key), ""}
	}
	return words{
		"set", "the option " + key + " to " + value,
		"mount -o " + shellQuote(key+"="+value), "",
	}
}

// setattrWords tell which restrictions a mount gets.
func (c *Call) setattrWords() words {
	target := c.place(0)
	var n [4]uint64
	for i, word := range c.arg(3).list {
		n[i], _ = strconv.ParseUint(word, 10, 64) // our own numbers
	}
	if n[2] != 0 {
		recursive := c.arg(2).num & unix.AT_RECURSIVE
		return propagationWords(n[2]|pick(recursive != 0, uint64(unix.MS_REC), 0), target)
	}
	options := optionsOf(attrOptions, n[0])
	if len(options) == 0 {
		return words{"change", "the options of " + target, "", ""}
	}
	list := strings.Join(append([]string{"remount", "bind"}, options...), ",")
	return words{
		"set", enumerate(options) + " on the mount " + target,
		command("mount", "-o", list, target), "",
	}
}

// pick returns one of two values.
func pick[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}

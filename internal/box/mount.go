//go:build linux

package box

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountPoint is one line of /proc/self/mounts.
type mountPoint struct{ source, target, kind, options string }

// mountPoints reads the mounts of this mount namespace, as far as they can be reached
// from the root directory.
//
//	proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
//	(1)  (2)   (3)  (4)
//
// (1) source, (2) target, (3) type, (4) options; spaces are written \040.
func mountPoints() ([]mountPoint, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: is /proc mounted?", err)
	}
	if err != nil {
		return nil, err
	}
	var list []mountPoint
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			return nil, fmt.Errorf("parse /proc/self/mounts: %q", line)
		}
		list = append(list, mountPoint{
			unescape(fields[0]), unescape(fields[1]),
			fields[2], fields[3],
		})
	}
	return list, nil
}

// unescape replaces the octal escapes of the kernel's mount tables, such as \040.
func unescape(text string) string {
	var plain strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				plain.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		plain.WriteByte(text[i])
	}
	return plain.String()
}

// mountFlags are the options that mount(2) takes as flags; a clear one removes them.
var mountFlags = map[string]struct {
	flag  uintptr
	clear bool
}{
	"ro": {unix.MS_RDONLY, false}, "rw": {unix.MS_RDONLY, true},
	"nosuid": {unix.MS_NOSUID, false}, "suid": {unix.MS_NOSUID, true},
	"nodev": {unix.MS_NODEV, false}, "dev": {unix.MS_NODEV, true},
	"noexec": {unix.MS_NOEXEC, false}, "exec": {unix.MS_NOEXEC, true},
	"noatime": {unix.MS_NOATIME, false}, "relatime": {unix.MS_RELATIME, false},
	"strictatime": {unix.MS_STRICTATIME, false}, "sync": {unix.MS_SYNCHRONOUS, false},
	"remount": {unix.MS_REMOUNT, false}, "bind": {unix.MS_BIND, false},
	"rbind": {unix.MS_BIND | unix.MS_REC, false}, "move": {unix.MS_MOVE, false},
	"defaults": {},
}

// propagations are the propagation types, each for one mount or with r for a tree.
// The kernel changes them in a call of their own (mount_namespaces(7)).
var propagations = map[string]uintptr{
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC,
	"slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"shared": unix.MS_SHARED, "rshared": unix.MS_SHARED | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// mountPlan is what a list of options asks of mount(2).
type mountPlan struct {
	flags       uintptr
	data        []string // options of the file system, such as size=1M
	propagation []uintptr
}

// add adds a comma-separated list of options.
func (p *mountPlan) add(options string) {
	for option := range strings.SplitSeq(options, ",") {
		if f, ok := mountFlags[option]; ok {
			p.flags |= f.flag
			if f.clear {
				p.flags &^= f.flag
			}
		} else if flag, ok := propagations[option]; ok {
			p.propagation = append(p.propagation, flag)
		} else if option != "" {
			p.data = append(p.data, option)
		}
	}
}

// mountApplet prints the mount table, or mounts a file system with mount(2).
func mountApplet(c *call) error {
	words := []string{"bind", "rbind", "move"}
	for name := range propagations {
		words = append(words, "make-"+name)
	}
	o, err := c.parse("t:o:rnv", words...)
	if err != nil {
		return err
	}
	if len(c.args) == 0 {
		return c.printMounts(o.get("t", ""))
	}
	if err := c.wants(1, 2); err != nil {
		return err
	}
	plan := mountPlan{}
	for _, options := range o["o"] {
		plan.add(options)
	}
	for _, word := range words {
		if o.has(word) {
			plan.add(strings.TrimPrefix(word, "make-"))
		}
	}
	if o.has("r") {
		plan.add("ro")
	}
	source, target := "none", c.args[len(c.args)-1]
	if len(c.args) == 2 {
		source = c.args[0]
	}
	const noType = unix.MS_BIND | unix.MS_REMOUNT | unix.MS_MOVE
	if len(c.args) == 2 && !o.has("t") && plan.flags&noType == 0 {
		return misused("option -t TYPE is needed")
	}
	return plan.mount(source, target, o.get("t", ""))
}

// mount makes the calls of a plan: the mount, for a read-only bind the remount that
// makes it so (the first call ignores all other flags), then the propagation.
func (p *mountPlan) mount(source, target, kind string) error {
	data := strings.Join(p.data, ",")
	if p.flags != 0 || kind != "" || data != "" {
		if err := unix.Mount(source, target, kind, p.flags, data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", source, target, err)
		}
	}
	const bind = unix.MS_BIND | unix.MS_REC
	if p.flags&unix.MS_BIND != 0 && p.flags&unix.MS_REMOUNT == 0 && p.flags&^bind != 0 {
		flags := p.flags&^unix.MS_REC | unix.MS_REMOUNT
		if err := unix.Mount("", target, "", flags, ""); err != nil {
			return fmt.Errorf("remount %s: %w", target, err)
		}
	}
	for _, flag := range p.propagation {
		if err := unix.Mount("", target, "", flag, ""); err != nil {
			return fmt.Errorf("change the propagation of %s: %w", target, err)
		}
	}
	return nil
}

// printMounts prints the mounts, those of one type when kind is given.
func (c *call) printMounts(kind string) error {
	points, err := mountPoints()
	if err != nil {
		return err
	}
	for _, m := range points {
		if kind == "" || kind == m.kind {
			c.printf("%s on %s type %s (%s)\n", m.source, m.target, m.kind, m.options)
		}
	}
	return nil
}

// umount removes mounts; with -l at once from the tree, later from the kernel.
func umount(c *call) error {
	o, err := c.parse("lf")
	if err == nil {
		err = c.wants(1, -1)
	}
	if err != nil {
		return err
	}
	flags := unix.UMOUNT_NOFOLLOW
	if o.has("l") {
		flags |= unix.MNT_DETACH
	}
	if o.has("f") {
		flags |= unix.MNT_FORCE
	}
	for _, target := range c.args {
		c.warn(pathError("umount", target, unix.Unmount(target, flags)))
	}
	return nil
}

// df prints the space of the mounted file systems, or of those that hold the operands.
func df(c *call) error {
	o, err := c.parse("hkaP")
	if err != nil {
		return err
	}
	points, err := mountPoints()
	if err != nil {
		return err
	}
	unit := "1K-blocks"
	if o.has("h") {
		unit = "Size"
	}
	c.printf("%-20s %10s %10s %10s %4s %s\n", "Filesystem", unit, "Used", "Available", "Use%",
		"Mounted on")
	if len(c.args) == 0 {
		for _, m := range points {
			c.printSpace(o, m, true)
		}
		return nil
	}
	for _, path := range c.args {
		m, err := mountOf(path, points)
		if err != nil {
			c.warn(err)
			continue
		}
		c.printSpace(o, m, false)
	}
	return nil
}

// mountOf returns the mount that holds a path: the last one that is its prefix.
func mountOf(path string, points []mountPoint) (mountPoint, error) {
	full, err := resolve(path)
	if err != nil {
		return mountPoint{}, err
	}
	if _, err := os.Lstat(full); err != nil {
		return mountPoint{}, err
	}
	best := mountPoint{source: "-", target: path}
	longest := -1
	for _, m := range points {
		at := strings.TrimSuffix(m.target, "/")
		if (full == at || strings.HasPrefix(full, at+"/")) && len(at) >= longest {
			best, longest = m, len(at)
		}
	}
	return best, nil
}

// printSpace prints one line of df; in the list of all, file systems without blocks,
// such as proc, are left out.
func (c *call) printSpace(o options, m mountPoint, listing bool) {
	var space unix.Statfs_t
	if err := unix.Statfs(m.target, &space); err != nil {
		c.warn(pathError("statfs", m.target, err))
		return
	}
	if listing && space.Blocks == 0 && !o.has("a") {
		return
	}
	block := uint64(space.Frsize)
	total, used, free := space.Blocks*block, (space.Blocks-space.Bfree)*block, space.Bavail*block
	show := func(n uint64) string {
		if o.has("h") {
			return human(n)
		}
		return strconv.FormatUint(n/1024, 10)
	}
	percent := "-"
	if used+free > 0 {
		percent = fmt.Sprintf("%d%%", (used*100+used+free-1)/(used+free))
	}
	c.printf("%-20s %10s %10s %10s %4s %s\n", m.source, show(total), show(used), show(free),
		percent, m.target)
}

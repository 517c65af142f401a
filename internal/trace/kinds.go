//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// kind makes an argument of what a register held: the i-th of a call.
type kind func(d *decoder, c *Call, i int) arg

// table is what is known of calls in general; one is made for each trace.
type table struct {
	signatures map[string][]string
	kinds      map[string]kind
	specials   map[string]func(*decoder, *Call) []arg
	abis       map[uint32]abi
}

// newTable reads calls.txt and names the kinds.
func newTable() *table {
	return &table{
		signatures: signatures(), kinds: kinds(), specials: specials(), abis: map[uint32]abi{},
	}
}

// abi returns how a kind of program calls the kernel.
func (t *table) abi(arch uint32) abi {
	a, ok := t.abis[arch]
	if !ok {
		a = abiOf(arch)
		t.abis[arch] = a
	}
	return a
}

// decoder turns arguments into text. A wild pointer in them is no error: the
// pointer itself is shown then.
type decoder struct {
	*table
	mem memory
	// path resolves a descriptor, for instance to /proc/4711/uid_map; "" if it
	// cannot be read.
	path func(fd int) string
}

// decode decodes all arguments at a call's entry.
func (d *decoder) decode(c *Call) {
	signature, known := d.signatures[c.Name]
	if !known {
		signature = []string{"hex", "hex", "hex", "hex", "hex", "hex"}
	}
	if len(signature) == 1 && signature[0] == "special" {
		c.decoded = d.specials[c.Name](d, c)
		return
	}
	c.kinds = signature
	c.decoded = make([]arg, len(signature))
	for i, word := range signature {
		if strings.HasPrefix(word, ">") {
			word = "ptr" // what the kernel fills in is not there yet
		}
		c.decoded[i] = d.kinds[word](d, c, i)
	}
	if !lastCounts(c) {
		c.decoded = c.decoded[:len(c.decoded)-1]
	}
}

// lastCounts reports whether the kernel looks at the last argument: at the mode of
// open(2) only to make a file, at the number of mknod(2) only for a device. The
// register may hold anything.
func lastCounts(c *Call) bool {
	before := uint64(0)
	if n := len(c.kinds); n > 1 {
		before = c.args[n-2]
	}
	switch c.Name {
	case "open", "openat":
		return before&(unix.O_CREAT|unix.O_TMPFILE&^unix.O_DIRECTORY) != 0
	case "mknod", "mknodat":
		kind := before & unix.S_IFMT
		return kind == unix.S_IFCHR || kind == unix.S_IFBLK
	}
	return true
}

// decodeResults decodes what the kernel filled in, when the call has succeeded.
func (d *decoder) decodeResults(c *Call) {
	if c.errno != 0 {
		return
	}
	if c.Name == "clone" || c.Name == "seccomp" {
		c.decoded = d.specials[c.Name](d, c)
		return
	}
	for i, word := range c.kinds {
		if out, ok := strings.CutPrefix(word, ">"); ok && i < len(c.decoded) {
			c.decoded[i] = d.kinds[out](d, c, i)
		}
	}
}

// kinds are the words of calls.txt.
func kinds() map[string]kind {
	k := map[string]kind{
		"int":  func(_ *decoder, c *Call, i int) arg { return signed(int64(int32(c.args[i]))) },
		"uint": func(_ *decoder, c *Call, i int) arg { return unsigned(uint64(uint32(c.args[i]))) },
		"long": func(_ *decoder, c *Call, i int) arg { return signed(int64(c.args[i])) },
		"size": func(_ *decoder, c *Call, i int) arg { return unsigned(c.args[i]) },
		"hex":  as(hex),
		"ptr":  as(pointer),
		"pid":  func(_ *decoder, c *Call, i int) arg { return signed(int64(int32(c.args[i]))) },
		// An id of -1 means: leave it.
		"id":     func(_ *decoder, c *Call, i int) arg { return id(uint32(c.args[i])) },
		"mode":   func(_ *decoder, c *Call, i int) arg { return mode(c.args[i] & 0o7777) },
		"signal": as(signalName),

		// All 64 bits count, unlike those of the flags below.
		"clone_flags": func(_ *decoder, c *Call, i int) arg {
			return number(flags(cloneFlags, c.args[i]), c.args[i])
		},

		"fd": descriptor, "dirfd": descriptor, "fd_or_none": descriptor,
		"path": path, "str": text, "buf": buffer, "argv": argv, "envp": envp, "iov": vector,
		"file_mode": fileMode, "dev": device, "id_list": idList,
		"int_ptr": intPointer, "fd_pair": fdPair,
		"clone_args": cloneArgs, "mount_attr": mountAttr, "cap_header": capHeader,
		"open_flags": openFlag, "socket_type": socketType, "ns_flags": namespaceFlags,
	}
	for name, bits := range map[string][]bit{
		"umount_flags": umountFlags, "open_tree_flags": openTreeFlags,
		"move_mount_flags": moveMountFlags, "fsopen_flags": fsopenFlags,
		"fsmount_flags": fsmountFlags, "fspick_flags": fspickFlags,
		"mount_attr_flags": mountAttrFlags, "at_flags": atFlags, "unlink_flags": unlinkFlags,
		"access_mode": accessModes, "prot_flags": protFlags, "map_flags": mapFlags,
		"memfd_flags": memfdFlags, "wait_flags": waitFlags,
	} {
		k[name] = func(_ *decoder, c *Call, i int) arg {
			return number(flags(bits, uint64(uint32(c.args[i]))), c.args[i])
		}
	}
	for name, bits := range map[string][]bit{
		"rlimit": rlimits, "sigprocmask": maskOps, "socket_domain": socketDomains,
		"madvice": madvices, "futex_op": futexOps,
	} {
		k[name] = func(_ *decoder, c *Call, i int) arg {
			return number(named(bits, uint64(uint32(c.args[i])), "???"), c.args[i])
		}
	}
	return k
}

// as is a kind that is a number written in some way.
func as(write func(uint64) string) kind {
	return func(_ *decoder, c *Call, i int) arg { return number(write(c.args[i]), c.args[i]) }
}

// number is an argument with a text of its own.
func number(text string, n uint64) arg { return arg{text: text, num: n} }

// signed is a number that may be negative.
func signed(n int64) arg { return arg{text: fmt.Sprint(n), num: uint64(n)} }

// unsigned is a number that may not.
func unsigned(n uint64) arg { return arg{text: fmt.Sprint(n), num: n} }

// mode is the permissions of a file.
func mode(n uint64) arg { return arg{text: octal(n), num: n} }

// id is a user's or a group's number.
func id(n uint32) arg {
	if n == 1<<32-1 {
		return arg{text: "-1", num: uint64(n)}
	}
	return unsigned(uint64(n))
}

// descriptor is an open file, or the working directory.
func descriptor(d *decoder, c *Call, i int) arg {
	if int32(c.args[i]) == unix.AT_FDCWD {
		return number("AT_FDCWD", c.args[i])
	}
	return d.open(int32(c.args[i]))
}

// open is a descriptor with the path that it leads to: 5</proc/1/uid_map>.
func (d *decoder) open(fd int32) arg {
	a := signed(int64(fd))
	if fd < 0 || d.path == nil {
		return a
	}
	if a.str = d.path(int(fd)); a.str != "" {
		a.text += "<" + printable(a.str) + ">"
	}
	return a
}

// path is a string that is shown whole.
func path(d *decoder, c *Call, i int) arg { return d.str(c.args[i], unix.PathMax) }

// text is a string that is shown in part when it is long.
func text(d *decoder, c *Call, i int) arg { return d.str(c.args[i], longest) }

// str reads a string of the traced process.
func (d *decoder) str(addr uint64, most int) arg {
	if addr == 0 {
		return arg{text: "NULL"}
	}
	s, whole, ok := readString(d.mem, addr, most)
	if !ok {
		return number(pointer(addr), addr)
	}
	a := arg{text: quote(s), str: s, num: addr}
	if !whole {
		a.text += "..."
	}
	return a
}

// buffer is bytes whose number is the next argument, or the result once there is
// one.
func buffer(d *decoder, c *Call, i int) arg {
	size := c.args[i+1]
	if c.finished && c.result >= 0 {
		size = min(size, uint64(c.result))
	}
	return d.bytes(c.args[i], size)
}

// bytes reads so many bytes and shows the first ones.
func (d *decoder) bytes(addr, size uint64) arg {
	if addr == 0 {
		return arg{text: "NULL"}
	}
	got := make([]byte, min(size, longest))
	n := d.mem.read(addr, got)
	if n < len(got) {
		return number(pointer(addr), addr)
	}
	a := arg{text: quote(string(got)), str: string(got), num: addr}
	if size > longest {
		a.text += "..."
	}
	return a
}

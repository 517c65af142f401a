//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// argv is a list of strings that ends with NULL: ["sh", "-c", "true"].
func argv(d *decoder, c *Call, i int) arg {
	if c.args[i] == 0 {
		return arg{text: "NULL"}
	}
	var texts, list []string
	for n := 0; ; n++ {
		if n == longest {
			texts = append(texts, "...")
			break
		}
		addr, ok := d.pointerAt(c, c.args[i], n)
		if !ok {
			if n == 0 {
				return number(pointer(c.args[i]), c.args[i])
			}
			texts = append(texts, "... /* unreadable */")
			break
		}
		if addr == 0 {
			break
		}
		one := d.str(addr, longest)
		texts, list = append(texts, one.text), append(list, one.str)
	}
	return arg{text: "[" + strings.Join(texts, ", ") + "]", list: list, num: c.args[i]}
}

// pointerAt reads the n-th pointer of a list.
func (d *decoder) pointerAt(c *Call, list uint64, n int) (uint64, bool) {
	words := readWords(d.mem, list+uint64(n*c.abi.word), c.abi.word, 1)
	if len(words) == 0 {
		return 0, false
	}
	return words[0], true
}

// envp is an environment, which is only counted: 0x7ffd… /* 23 vars */.
func envp(d *decoder, c *Call, i int) arg {
	if c.args[i] == 0 {
		return arg{text: "NULL"}
	}
	const most = 1 << 16
	count := 0
	for ; count < most; count++ {
		addr, ok := d.pointerAt(c, c.args[i], count)
		if !ok {
			return number(pointer(c.args[i]), c.args[i])
		}
		if addr == 0 {
			break
		}
	}
	plural := "s"
	if count == 1 {
		plural = ""
	}
	return number(fmt.Sprintf("%#x /* %d var%s */", c.args[i], count, plural), uint64(count))
}

// vector is the pieces of writev(2); the next argument counts them.
func vector(d *decoder, c *Call, i int) arg {
	const most = 16
	count := int(min(c.args[i+1], most))
	words := readWords(d.mem, c.args[i], c.abi.word, 2*count)
	if len(words) < 2*count || count == 0 {
		return number(pointer(c.args[i]), c.args[i])
	}
	var texts []string
	var whole strings.Builder
	for n := range count {
		piece := d.bytes(words[2*n], words[2*n+1])
		whole.WriteString(piece.str)
		texts = append(texts, fmt.Sprintf("{iov_base=%s, iov_len=%d}", piece.text, words[2*n+1]))
	}
	if c.args[i+1] > most {
		texts = append(texts, "...")
	}
	return arg{text: "[" + strings.Join(texts, ", ") + "]", str: whole.String(), num: c.args[i]}
}

// fileMode is a type of file with its permissions: S_IFCHR|0666.
func fileMode(_ *decoder, c *Call, i int) arg {
	value := c.args[i] & 0xffff
	for _, b := range fileTypes {
		if value&unix.S_IFMT == b.value {
			return number(b.name+"|"+octal(value&^unix.S_IFMT), value)
		}
	}
	return number(octal(value), value)
}

// device is a number of mknod(2), in the kernel's own packing into 32 bits.
func device(_ *decoder, c *Call, i int) arg {
	n := c.args[i] & (1<<32 - 1)
	return number(fmt.Sprintf("makedev(%s, %s)",
		hex(uint64(unix.Major(n))), hex(uint64(unix.Minor(n)))), n)
}

// idList is the groups of setgroups(2); the argument before counts them.
func idList(d *decoder, c *Call, i int) arg {
	if c.args[i] == 0 {
		return arg{text: "NULL"}
	}
	count := int(min(c.args[i-1]&(1<<32-1), longest))
	words := readWords(d.mem, c.args[i], 4, count)
	if len(words) < count {
		return number(pointer(c.args[i]), c.args[i])
	}
	texts := make([]string, 0, count)
	for _, w := range words {
		texts = append(texts, fmt.Sprint(w))
	}
	if c.args[i-1] > longest {
		texts = append(texts, "...")
	}
	return arg{text: "[" + strings.Join(texts, ", ") + "]", list: texts, num: c.args[i]}
}

// intPointer is a number that the kernel wrote: [0].
func intPointer(d *decoder, c *Call, i int) arg {
	words := readWords(d.mem, c.args[i], 4, 1)
	if c.args[i] == 0 || len(words) == 0 {
		return number(pointer(c.args[i]), c.args[i])
	}
	return number(fmt.Sprintf("[%d]", int32(words[0])), words[0])
}

// fdPair is the two ends that pipe(2) makes: [3, 4].
func fdPair(d *decoder, c *Call, i int) arg {
	words := readWords(d.mem, c.args[i], 4, 2)
	if !c.finished || len(words) < 2 {
		return number(pointer(c.args[i]), c.args[i])
	}
	return number(fmt.Sprintf("[%d, %d]", words[0], words[1]), 0)
}

// openFlag is a mode of access with flags: O_WRONLY|O_CLOEXEC.
func openFlag(_ *decoder, c *Call, i int) arg {
	value := c.args[i] & (1<<32 - 1)
	text := named(openModes, value&unix.O_ACCMODE, "O_???")
	if rest := value &^ unix.O_ACCMODE; rest != 0 {
		if c.Name == "pipe2" || c.Name == "dup3" || c.Name == "inotify_init1" {
			return number(flags(openFlags, value), value)
		}
		text += "|" + flags(openFlags, rest)
	}
	return number(text, value)
}

// socketType is a type with flags: SOCK_RAW|SOCK_CLOEXEC.
func socketType(_ *decoder, c *Call, i int) arg {
	const types = 0xf
	value := c.args[i] & (1<<32 - 1)
	text := named(socketTypes, value&types, "SOCK_???")
	if rest := value &^ types; rest != 0 {
		text += "|" + flags(socketFlags, rest)
	}
	return number(text, value)
}

// namespaceFlags are the types of setns(2): 0 is any.
func namespaceFlags(_ *decoder, c *Call, i int) arg {
	return number(flags(cloneFlags, c.args[i]&(1<<32-1)), c.args[i])
}

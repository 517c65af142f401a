//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// words are a call in plain language: what its caller does, as a verb and the
// rest, and the shell command that does the same, or "".
type words struct {
	verb  string // get
	rest  string // an own host name
	shell string // unshare --uts
	note  string // what else is worth knowing
}

// Words puts a call into a phrase and a shell command.
//
//	gets its own host name        unshare --uts
//	could not get its own host name: operation not permitted
func (c *Call) Words(p *process) (phrase, shell string) {
	w := c.words(p)
	if w.verb == "" {
		return "", ""
	}
	switch {
	case c.errno >= firstRestart:
		return "was interrupted by a signal; the kernel makes the call again", ""
	case c.Failed() && w.verb != "ask":
		phrase = "could not " + w.verb + " " + w.rest + ": " + c.errno.Error()
		w.note = c.advice()
	case !c.finished:
		phrase = "was ended before it could " + w.verb + " " + w.rest
		w.note = ""
	default:
		phrase = third(w.verb) + " " + w.rest
	}
	if w.note != "" {
		phrase += "; " + w.note
	}
	if c.Bits != "" {
		phrase += " (a " + c.Bits + " program)"
	}
	return printable(phrase), printable(w.shell)
}

// third returns a verb as he, she or it does it.
func third(verb string) string {
	for _, end := range []string{"s", "sh", "ch", "o", "x"} {
		if strings.HasSuffix(verb, end) {
			return verb + "es"
		}
	}
	return verb + "s"
}

// words finds the words for a call by its family.
func (c *Call) words(p *process) words {
	switch c.Name {
	case "clone", "clone3", "fork", "vfork":
		return c.birthWords(p)
	case "unshare":
		return unshareWords(c.arg(0).num)
	case "setns":
		return c.setnsWords(p)
	case "mount", "umount", "umount2", "pivot_root", "chroot":
		return c.mountWords(p)
	case "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
		"mount_setattr":
		return c.newMountWords()
	case "write", "writev", "pwrite64", "pwritev", "pwritev2":
		return c.writeWords()
	case "mkdir", "mkdirat", "rmdir", "unlinkat":
		return c.cgroupWords()
	case "prctl":
		return c.prctlWords()
	case "capset":
		return c.capsetWords()
	case "seccomp":
		return c.seccompWords()
	}
	return c.otherWords(p)
}

// otherWords are those of calls that are alone in their family.
func (c *Call) otherWords(p *process) words {
	switch c.Name {
	case "execve", "execveat":
		return c.execWords(p)
	case "sethostname":
		name := c.arg(0).str
		return words{"set", "the host name to " + name, command("hostname", name), ""}
	case "setdomainname":
		name := c.arg(0).str
		return words{"set", "the NIS domain to " + name, command("domainname", name), ""}
	case "mknod", "mknodat":
		return c.mknodWords()
	case "setuid", "setreuid", "setresuid":
		return idWords(c, "user", "--reuid")
	case "setgid", "setregid", "setresgid":
		return idWords(c, "group", "--regid")
	case "setgroups":
		return c.groupsWords()
	case "landlock_restrict_self":
		return words{"restrict", "itself by Landlock rules, for good", "", ""}
	}
	return words{}
}

// execWords tell which program a process becomes.
func (c *Call) execWords(p *process) words {
	file, argv := c.arg(0).str, c.arg(1).list
	if c.Name == "execveat" {
		argv = c.arg(2).list
		if file = c.arg(1).str; file == "" {
			file = c.arg(0).str // AT_EMPTY_PATH: the descriptor itself
		}
	}
	w := words{verb: "become", rest: "the program " + file}
	if len(argv) > 0 {
		w.shell = "exec " + command(argv...)
	}
	if c.finished && c.errno == 0 && losesSetuid(p.pid) {
		w.note = "its set-user-ID bit does not count while an ordinary user traces"
	}
	return w
}

// losesSetuid reports whether a process runs a program that would have another
// user's rights, were it not traced by us.
func losesSetuid(pid int) bool {
	var stat unix.Stat_t
	return unix.Geteuid() != 0 &&
		unix.Stat(fmt.Sprintf("/proc/%d/exe", pid), &stat) == nil &&
		stat.Mode&(unix.S_ISUID|unix.S_ISGID) != 0
}

// mknodWords tell what kind of file is made.
func (c *Call) mknodWords() words {
	at := 0
	if c.Name == "mknodat" {
		at = 1
	}
	file, kind, n := c.arg(at).str, c.arg(at+1).num&unix.S_IFMT, c.arg(at+2).num
	letter, name := "", ""
	switch kind {
	case unix.S_IFCHR:
		letter, name = "c", "the character device "
	case unix.S_IFBLK:
		letter, name = "b", "the block device "
	case unix.S_IFIFO:
		return words{"make", "the pipe " + file, command("mkfifo", file), ""}
	case unix.S_IFSOCK:
		return words{"make", "the socket " + file, "", ""}
	default:
		return words{"make", "the empty file " + file, command("touch", file), ""}
	}
	numbers := fmt.Sprintf("%d %d", unix.Major(n), unix.Minor(n))
	if n == 0 {
		return words{
			"make", "a device 0 0 at " + file + ", by which an overlay hides a file",
			command("mknod", file, letter) + " 0 0", "",
		}
	}
	return words{"make", name + file, command("mknod", file, letter) + " " + numbers, ""}
}

// idWords tell whose rights a process takes on. Real, effective and saved id are
// set by several calls in several orders; -1 leaves one as it is.
func idWords(c *Call, kind, option string) words {
	for i := range c.decoded {
		if n := c.arg(i).text; n != "-1" {
			return words{"become", kind + " " + n, "setpriv " + option + " " + n, ""}
		}
	}
	return words{"stay", "the " + kind + " it is", "", ""}
}

// groupsWords tell which supplementary groups a process has.
func (c *Call) groupsWords() words {
	groups := strings.Join(c.arg(1).list, ",")
	if groups == "" {
		return words{"leave", "all supplementary groups", "setpriv --clear-groups", ""}
	}
	return words{"take", "the supplementary groups " + groups, "setpriv --groups " + groups, ""}
}

// command returns words as a line for the shell.
func command(argv ...string) string {
	quoted := make([]string, len(argv))
	for i, word := range argv {
		quoted[i] = shellQuote(word)
	}
	return strings.Join(quoted, " ")
}

// shellQuote quotes a word where the shell would change or split it.
func shellQuote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	if printable(word) != word {
		// $'…' knows the escapes of C, in bash and in busybox's sh alike.
		escaped := strings.ReplaceAll(quote(word), `\"`, `"`)
		return "$'" + strings.ReplaceAll(escaped[1:len(escaped)-1], "'", `\'`) + "'"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// enumerate joins words: a, b and c.
func enumerate(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

package plan

import (
	"fmt"
	"strings"

	"lab/final/internal/caps"
)

// SetGroups gives init its groups; while it looks for its program they count.
type SetGroups struct {
	GIDs []uint32 `json:"gids"`
}

// Words tell about it.
func (s SetGroups) Words() Words {
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(s.GIDs), " ", ", "), "[]")
	return Words{
		Does: fmt.Sprintf("set the additional groups [%s]", text),
		Call: fmt.Sprintf("setgroups(%d, [%s])", len(s.GIDs), text), Man: "setgroups(2)",
	}
}

// SetUser makes init the user of the configuration. It keeps its capabilities over
// this, for there is one more thing to do with them: setting them.
type SetUser struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// Words tell about it.
func (s SetUser) Words() Words {
	return Words{
		Does: fmt.Sprintf("become the user %d:%d", s.UID, s.GID),
		Call: fmt.Sprintf("prctl(PR_SET_KEEPCAPS, 1); setresgid(%d, %d, %d); setresuid(%d, %d, %d)",
			s.GID, s.GID, s.GID, s.UID, s.UID, s.UID),
		Shell: fmt.Sprintf("setpriv --reuid %d --regid %d --keep-groups …", s.UID, s.GID),
		Man:   "setresuid(2)",
	}
}

// Bounding takes capabilities from the bounding set: nothing that is executed from
// here on can get them back. The permitted ones outlive the change of the user.
type Bounding struct {
	caps.Sets
}

// Words tell about it.
func (b Bounding) Words() Words {
	return Words{
		Does:  "bound the capabilities",
		Call:  "prctl(PR_CAPBSET_DROP, …)  for all but " + list(b.Bounding),
		Shell: "setpriv --bounding-set " + capList(b.Bounding) + " …",
		Man:   "capabilities(7)",
	}
}

// Capabilities sets the four sets that are init's own.
type Capabilities struct {
	caps.Sets
}

// Words tell about it.
func (c Capabilities) Words() Words {
	call := fmt.Sprintf("capset({effective=%s, permitted=%s, inheritable=%s})",
		list(c.Effective), list(c.Permitted), list(c.Inheritable))
	if c.Ambient != 0 {
		call += fmt.Sprintf("; prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, %s)", list(c.Ambient))
	}
	return Words{
		Does: "set the capabilities", Call: call,
		Shell: fmt.Sprintf("setpriv --inh-caps %s --ambient-caps %s …",
			capList(c.Inheritable), capList(c.Ambient)),
		Man: "capset(2)",
	}
}

// list is capabilities in braces, without what they all begin with.
func list(set caps.Set) string {
	return "{" + strings.ReplaceAll(strings.Join(set.Names(), ", "), "CAP_", "") + "}"
}

// capList is capabilities as setpriv(1) takes them.
func capList(set caps.Set) string {
	words := []string{"-all"}
	for _, name := range set.Names() {
		words = append(words, "+"+strings.ToLower(strings.TrimPrefix(name, "CAP_")))
	}
	return strings.Join(words, ",")
}

// NoNewPrivs makes set-user-ID files and file capabilities mean nothing to init and
// whatever it executes.
type NoNewPrivs struct{}

// Words tell about it.
func (NoNewPrivs) Words() Words {
	return Words{
		Does: "gain no new privileges", Call: "prctl(PR_SET_NO_NEW_PRIVS, 1)",
		Shell: "setpriv --no-new-privs …", Man: "PR_SET_NO_NEW_PRIVS(2const)",
	}
}

// Umask says which permissions new files do not get.
type Umask struct {
	Mask uint32 `json:"mask"`
}

// Words tell about it.
func (u Umask) Words() Words {
	return Words{
		Does: fmt.Sprintf("set the umask %#04o", u.Mask), Call: fmt.Sprintf("umask(%#04o)", u.Mask),
		Shell: fmt.Sprintf("umask %04o", u.Mask), Man: "umask(2)",
	}
}

// Rlimit limits one resource of the process.
type Rlimit struct {
	Type string `json:"type"`
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Words tell about it.
func (r Rlimit) Words() Words {
	name := strings.ToLower(strings.TrimPrefix(r.Type, "RLIMIT_"))
	return Words{
		Does:  fmt.Sprintf("set %s to %d (hard %d)", r.Type, r.Soft, r.Hard),
		Call:  fmt.Sprintf("prlimit(0, %s, {%d, %d}, NULL)", r.Type, r.Soft, r.Hard),
		Shell: fmt.Sprintf("prlimit --%s=%d:%d …", name, r.Soft, r.Hard),
		Man:   "getrlimit(2)",
	}
}

// Personality chooses the execution domain: whether uname(2) tells of 32 bits.
type Personality struct {
	Domain string `json:"domain"`
}

// Words tell about it.
func (p Personality) Words() Words {
	return Words{
		Does: "set the personality " + p.Domain, Call: fmt.Sprintf("personality(PER_%s)", p.Domain),
		Shell: "setarch …", Man: "personality(2)",
	}
}

// Schedule chooses the scheduling policy.
type Schedule struct {
	Policy   uint32 `json:"policy"`
	Name     string `json:"name"`
	Flags    uint64 `json:"flags,omitempty"`
	Nice     int32  `json:"nice,omitempty"`
	Priority uint32 `json:"priority,omitempty"`
	Runtime  uint64 `json:"runtime,omitempty"`
	Deadline uint64 `json:"deadline,omitempty"`
	Period   uint64 `json:"period,omitempty"`
}

// Words tell about it.
func (s Schedule) Words() Words {
	return Words{
		Does: "schedule by " + s.Name,
		Call: fmt.Sprintf("sched_setattr(0, {policy=%s, nice=%d, priority=%d})",
			s.Name, s.Nice, s.Priority),
		Shell: "chrt …", Man: "sched_setattr(2)",
	}
}

// IOPriority chooses the class and priority of input and output.
type IOPriority struct {
	Class    int    `json:"class"`
	Name     string `json:"name"`
	Priority int    `json:"priority"`
}

// Words tell about it.
func (p IOPriority) Words() Words {
	return Words{
		Does: fmt.Sprintf("set the I/O priority %s %d", p.Name, p.Priority),
		Call: fmt.Sprintf("ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(%s, %d))",
			p.Name, p.Priority),
		Shell: fmt.Sprintf("ionice -c %d -n %d …", p.Class, p.Priority), Man: "ioprio_set(2)",
	}
}

// FindProgram finds the file to execute, as the container's user in its root, so that
// `create` can say that there is none.
type FindProgram struct {
	Name string   `json:"name"`
	Env  []string `json:"env"`
	Cwd  string   `json:"cwd"`
	UID  uint32   `json:"uid"`
	GID  uint32   `json:"gid"`
}

// Words tell about it.
func (f FindProgram) Words() Words {
	return Words{
		Does:  "find the program", // the error names it itself, as clients expect
		Call:  fmt.Sprintf("setfsuid(%d); faccessat2(%q, X_OK, AT_EACCESS)", f.UID, f.Name),
		Shell: "command -v " + f.Name, Man: "access(2)",
	}
}

// Chdir changes to the working directory, and makes sure that it is in the root.
type Chdir struct {
	Path string `json:"path"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
}

// Words tell about it.
func (c Chdir) Words() Words {
	return Words{
		Does:  "change to the directory " + c.Path,
		Call:  fmt.Sprintf("setfsuid(%d); chdir(%q); setfsuid(0); getcwd()", c.UID, c.Path),
		Shell: "cd " + c.Path, Man: "chdir(2)",
	}
}

// CloseFiles has the kernel close every file at execve(2) but the first few.
type CloseFiles struct {
	From int `json:"from"`
}

// Words tell about it.
func (c CloseFiles) Words() Words {
	return Words{
		Does: fmt.Sprintf("close the files from %d on", c.From),
		Call: fmt.Sprintf("close_range(%d, ~0U, CLOSE_RANGE_CLOEXEC)", c.From),
		Man:  "close_range(2)",
	}
}

// Exec becomes the command.
type Exec struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
}

// Words tell about it.
func (e Exec) Words() Words {
	quoted := make([]string, len(e.Args))
	for i, word := range e.Args {
		quoted[i] = fmt.Sprintf("%q", word)
	}
	return Words{
		Does: "exec", // the error names the program itself, as clients expect
		Call: fmt.Sprintf("execve(path:program, [%s], %d variables)",
			strings.Join(quoted, ", "), len(e.Env)),
		Shell: "exec " + strings.Join(e.Args, " "), Man: "execve(2)",
	}
}

//go:build linux

package trace

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/need"
	"lab/internal/program"
)

// record is what one tool says of one process: its calls, pids and pointers made
// equal, and its end.
type record map[string][]string

// asked are the calls that strace(1) is asked for; those that are not watched with
// their arguments are left out afterwards. Not each architecture has them all.
func asked() string {
	asked := slices.DeleteFunc(slices.Clone(candidates), func(name string) bool {
		return name == "open_tree_attr" // which it does not know
	})
	return "?" + strings.Join(asked, ",?")
}

// event is a line of either tool.
type event struct {
	pid   int
	text  string // name(arguments) = result
	child int    // of a call that made a process
}

// story is what one run of a tool tells.
type story struct {
	events []event
	parent map[int]int
	nth    map[int]int // which child of its parent
}

// bySelf runs a command under lab trace, with a flag or none.
func bySelf(t *testing.T, flag string, command ...string) story {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	args := append([]string{labPath(t), "trace", "--json", flag, "-o", out, "--"}, command...)
	run(t, args)
	s := newStory()
	for line := range strings.Lines(read(t, out)) {
		var object struct {
			Type   string
			PID    int
			Child  int `json:"child_pid"`
			Text   string
			Status int `json:"exit_status"`
			Signal string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		switch object.Type {
		case "call":
			s.add(event{object.PID, object.Text, object.Child})
		case "end":
			text := fmt.Sprintf("+++ exited with %d +++", object.Status)
			if object.Signal != "" {
				text = "+++ killed by " + object.Signal + " +++"
			}
			s.add(event{object.PID, text, 0})
		}
	}
	return s
}

// byStrace runs a command under strace(1).
func byStrace(t *testing.T, command ...string) story {
	t.Helper()
	out := filepath.Join(t.TempDir(), "strace")
	run(t, append([]string{
		"strace", "-f", "-y", "--decode-pids=pidns", "-s", strconv.Itoa(longest),
		"-e", "trace=" + asked(), "-o", out, "--",
	}, command...))
	return parseStrace(t, read(t, out))
}

// searchPath is short: each of its directories may be an execve(2) that fails.
const searchPath = "PATH=/usr/sbin:/sbin:/usr/bin:/bin"

// run runs a tool; how the traced command ends is compared, too.
func run(t *testing.T, argv []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), searchPath)
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %v\n%s", filepath.Base(argv[0]), err, out)
}

// labPath returns the path of the program under test.
func labPath(t testing.TB) string {
	t.Helper()
	path, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	return path
}

// read returns the text of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// newStory makes an empty story.
func newStory() story { return story{parent: map[int]int{}, nth: map[int]int{}} }

// add adds an event and, if it made a process, who that is.
func (s *story) add(e event) {
	if chance.MatchString(e.text) {
		return
	}
	s.events = append(s.events, e)
	if e.child == 0 {
		return
	}
	for _, parent := range s.parent {
		if parent == e.pid {
			s.nth[e.child]++
		}
	}
	s.parent[e.child] = e.pid
}

// The lines of strace -f -o:
//
//	4711  unshare(CLONE_NEWUTS) = 0
//	4711  vfork( <unfinished ...>
//	4711  <... vfork resumed>) = 2 /* 4712 in strace's PID NS */
//	4711  +++ exited with 0 +++
var (
	straceLine = regexp.MustCompile(`^(\d+) +(.*)$`)
	resumed    = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	replaced   = regexp.MustCompile(`^\+\+\+ superseded by execve in pid (\d+)`)
	born       = regexp.MustCompile(`^(?:clone3?|v?fork)\(.* = (\d+)(?:<[^>]*>)?` +
		`(?: /\* (\d+) in strace's PID NS \*/)?$`)
)

// parseStrace reads the output of strace(1): interrupted lines are joined and
// threads are taken for their process.
func parseStrace(t *testing.T, text string) story {
	t.Helper()
	s, begun, leader := newStory(), map[int]string{}, map[int]int{}
	for line := range strings.Lines(text) {
		match := straceLine.FindStringSubmatch(strings.TrimSpace(line))
		require.NotNil(t, match, line)
		tid, _ := strconv.Atoi(match[1])
		body := match[2]
		if by := replaced.FindStringSubmatch(body); by != nil {
			// The first thread goes on with what another one began.
			other, _ := strconv.Atoi(by[1])
			begun[tid] = begun[other]
			continue
		}
		if rest := resumed.FindStringSubmatch(body); rest != nil {
			body = begun[tid] + rest[1]
			delete(begun, tid)
		}
		if start, ok := strings.CutSuffix(body, " <unfinished ...>"); ok {
			begun[tid] = start
			continue
		}
		if strings.HasPrefix(body, "---") {
			continue // a signal that was delivered
		}
		e := event{pid: tid, text: body}
		if p, ok := leader[tid]; ok {
			e.pid = p
		}
		if e.pid != tid && strings.HasPrefix(body, "+++") {
			continue // a thread's end
		}
		if child := born.FindStringSubmatch(body); child != nil {
			e.child, _ = strconv.Atoi(pick(child[2] != "", child[2], child[1]))
		}
		if strings.Contains(body, "CLONE_THREAD") {
			leader[e.child] = e.pid
		} else if !unwatched(body) {
			s.add(e)
		}
	}
	return s
}

// quiet are the calls that strace tells and lab trace does not: options of prctl(2)
// that take nothing away, other files and other directories.
var (
	prctls = regexp.MustCompile(`^prctl\((\w+)`)
	writes = regexp.MustCompile(`^p?write(?:v2?|64)?\(\d+<([^>]*)>`)
	made   = regexp.MustCompile(`^(?:mkdir|rmdir|mkdirat|unlinkat)\(` +
		`(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)"`)
	ofCgroup = regexp.MustCompile(`^/sys/fs/cgroup/.`)
)

// unwatched reports whether lab trace leaves a call out for its arguments.
func unwatched(text string) bool {
	if m := prctls.FindStringSubmatch(text); m != nil {
		confine := []string{
			"PR_SET_PDEATHSIG", "PR_SET_DUMPABLE", "PR_SET_KEEPCAPS", "PR_SET_SECCOMP",
			"PR_CAPBSET_DROP", "PR_SET_SECUREBITS", "PR_SET_CHILD_SUBREAPER",
			"PR_SET_NO_NEW_PRIVS", "PR_CAP_AMBIENT",
		}
		return !slices.Contains(confine, m[1])
	}
	if m := writes.FindStringSubmatch(text); m != nil {
		setting := strings.HasPrefix(m[1], "/proc/") && settings.MatchString(m[1])
		return !setting && !ofCgroup.MatchString(m[1])
	}
	if m := made.FindStringSubmatch(text); m != nil {
		path := pick(filepath.IsAbs(m[2]), m[2], m[1]+"/"+m[2])
		return !ofCgroup.MatchString(path) || strings.HasPrefix(text, "unlinkat") &&
			!strings.Contains(text, "AT_REMOVEDIR")
	}
	return strings.HasPrefix(text, "writev(") || strings.HasPrefix(text, "write(")
}

// record makes the story comparable: processes have names by their descent, 0 is
// the command, 0.1 its second child.
func (s story) record() record {
	r := record{}
	for _, e := range s.events {
		name, text := s.name(e.pid), s.normal(e)
		if meanwhile.MatchString(text) {
			name += ", meanwhile"
		}
		r[name] = append(r[name], text)
	}
	return r
}

// meanwhile are the calls that a step makes on one thread while another one lays the
// veth pair: the host begins to forward. Their place among the calls of the other
// thread is chance, so they are compared apart.
var meanwhile = regexp.MustCompile(`^write\(FD /proc/sys/net/ipv4/ip_forward `)

// name returns the name of a process by its descent.
func (s story) name(pid int) string {
	parent, ok := s.parent[pid]
	if !ok {
		return "0"
	}
	return s.name(parent) + "." + strconv.Itoa(s.nth[pid])
}

// chance are calls that are made again: after a signal, or while the kernel still
// holds a cgroup whose last process is dying. How often is a matter of time, so both
// records leave out the calls that were in vain and keep the one that was not.
var chance = regexp.MustCompile(`= \? ERESTART|^(rmdir|unlinkat)\(.*= -1 EBUSY`)

// What differs from run to run, and what the two print in other ways.
var (
	comment = regexp.MustCompile(` /\* (\d+ in \w+'s PID NS|MS_\?\?\?) \*/`)
	places  = regexp.MustCompile(`\b\d+<[^>]*>`)
	cwd     = regexp.MustCompile(`AT_FDCWD<[^>]*>`)
	opened  = regexp.MustCompile(`^((?:open_tree|fsopen|fsmount|fspick)\(.*) = \d+$`)
	kept    = regexp.MustCompile(`^(p?write\w*|setns)\((\d+)<([^>]*)>`)
	address = regexp.MustCompile(`0x[0-9a-f]{5,}`)
	tids    = regexp.MustCompile(`, (?:parent_tid|child_tidptr|tls|child_tid|pidfd)=` +
		`(?:\[[^\]]*\]|\w+)`)
	inode    = regexp.MustCompile(`:\[\d+\]`)   // of a namespace
	into     = regexp.MustCompile(`cgroup=\d+`) // where strace -y prints no path
	filled   = regexp.MustCompile(` => \{[^}]*\}`)
	count    = regexp.MustCompile(`, \d+\)( +)= \d+$`)
	pids     = regexp.MustCompile(`/proc/\d+/|"\d+(\\n)?"|pid=\d+`)
	flagsSet = regexp.MustCompile(`[\w<]+(\|[\w<]+)+`)
	spaces   = regexp.MustCompile(` +=`)
	random   = regexp.MustCompile(`\.[A-Za-z0-9]{6}"|lab-?[a-z]*-?\d+[-a-z0-9]*|` +
		`/tmp/[A-Za-z]+[0-9]+`)
)

// normal makes a call comparable.
func (s story) normal(e event) string {
	text := comment.ReplaceAllString(e.text, "")
	writing := strings.Contains(text[:min(len(text), 8)], "write")
	text = kept.ReplaceAllString(text, "$1(FD $3 ")
	text = cwd.ReplaceAllString(text, "AT_FDCWD")
	text = places.ReplaceAllString(text, "FD")
	text = inode.ReplaceAllString(text, ":[N]")
	text = into.ReplaceAllString(text, "cgroup=FD")
	text = filled.ReplaceAllString(tids.ReplaceAllString(text, ""), "")
	text = address.ReplaceAllString(text, "PTR")
	text = random.ReplaceAllString(text, "RANDOM")
	text = flagsSet.ReplaceAllStringFunc(text, func(set string) string {
		names := strings.Split(set, "|")
		slices.Sort(names)
		return strings.Join(names, "|")
	})
	text = spaces.ReplaceAllString(text, " =") // more where a call was resumed
	if strings.HasPrefix(text, "mount_setattr(") {
		// strace -y takes the result for a descriptor.
		text = strings.Replace(text, ") = FD", ") = 0", 1)
	}
	text = opened.ReplaceAllString(text, "$1 = FD")
	if e.child != 0 {
		text = text[:strings.LastIndex(text, "=")] + "= CHILD"
	}
	if writing && pids.MatchString(text) {
		text = count.ReplaceAllString(text, ")")
	}
	return pids.ReplaceAllString(text, "PID ")
}

// sameAsStrace runs a command under both and compares, process by process; with
// the filter where it may be installed, and without it.
func sameAsStrace(t *testing.T, command ...string) record {
	t.Helper()
	need.Tool(t, "strace", "strace")
	theirs := byStrace(t, command...).record()
	require.NotEmpty(t, theirs["0"])
	for _, flag := range []string{"--stops=false", "--stops=true"} {
		ours := bySelf(t, flag, command...).record()
		require.Empty(t, difference(flag, ours, theirs))
	}
	return theirs
}

// difference tells the first call of each process in which two records differ.
func difference(way string, ours, theirs record) string {
	var b strings.Builder
	names := map[string]bool{}
	for _, r := range []record{ours, theirs} {
		for name := range r {
			names[name] = true
		}
	}
	for name := range names {
		for i := range max(len(theirs[name]), len(ours[name])) {
			us, them := at(ours[name], i), at(theirs[name], i)
			if us != them {
				fmt.Fprintf(&b, "%s, process %s, call %d:\nstrace %s\nlab    %s\n",
					way, name, i, them, us)
				break
			}
		}
	}
	return b.String()
}

// at returns an element of a list, or that there is none.
func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "says no more"
}

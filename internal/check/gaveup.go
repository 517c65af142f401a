//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// noBeginning is the failure of a program that neither runs its command nor ends.
func (h *Held) noBeginning() *Failure {
	f := &Failure{
		Command: h.Command, Expected: "the command runs",
		Kernel: fmt.Sprintf("neither the command nor the program's end after %s", patience()),
		Diagnosis: "The program or its child waits for something that does not come. " +
			"(Go does so where UidMappings are given without CLONE_NEWUSER.)",
		Look: fmt.Sprintf("cat /proc/%d/wchan", h.Program), Mistake: "never-begins",
	}
	if h.PID != 0 {
		f.Expected = "what the command prints is seen at once"
		f.Kernel = fmt.Sprintf("process %d has printed a line, and nothing arrived after %s",
			h.PID, patience())
		f.Diagnosis = "The program keeps the command's output to itself: " +
			"the command has to get the program's own descriptors, not pipes or buffers."
		f.Look, f.Mistake = fmt.Sprintf("ls -l /proc/%s/fd", h.pid()), "output-held-back"
	}
	return f
}

// ranNothing says why a program ended before its command did.
func (h *Held) ranNothing(token string) *Failure {
	status, said := status(h.cmd), strings.TrimSpace(h.errOut.String())
	f := &Failure{
		Command: h.Command, Expected: "the command runs until its input ends",
		Kernel: fmt.Sprintf("the program ended with status %d; it said: %s", status, said),
	}
	switch {
	case status == 2:
		f.Mistake = "flag-unknown"
		f.Diagnosis = "The program did not understand its command line: " +
			"the flag that this step brings is missing, or takes something else."
	case status > 128:
		f.Mistake = "killed-early"
		f.Diagnosis = fmt.Sprintf("Signal %d ended the program, or its child, "+
			"before the command could run.", status-128)
	case status != 0:
		f.Mistake = "gave-up"
		f.Diagnosis = "The program gave up by itself before the command ran; " +
			"the line that it printed names the call."
	case withToken(token) != 0:
		f.Kernel = fmt.Sprintf("the program ended with status 0; process %d runs on without it",
			withToken(token))
		f.Mistake = "does-not-wait"
		f.Diagnosis = "The program does not wait for its child: " +
			"wait4(2) returns when that ends, and with its exit status."
		f.Look = "ps -o pid,ppid,args " + h.pid()
	case strings.Contains(h.out.String(), "end of input"):
		f.Mistake = "stdin-not-handed-on"
		f.Diagnosis = "The command ran and found its standard input at its end. " +
			"It has to get the program's own."
		f.Look = "echo x | " + shellLine([]string{h.Args[0], "run", "cat"})
	default:
		f.Mistake = "ended-at-once"
		f.Diagnosis = "The container ended, without an error, before its command could do " +
			"anything: whoever starts the command has to wait for it, PID 1 as well."
	}
	return f
}

// withToken returns the process that is the agent with a token, whoever its
// parent is by now.
func withToken(token string) int {
	pids, err := inspect.Processes()
	if err != nil {
		return 0
	}
	for _, pid := range pids {
		if isAgent(pid, token) {
			return pid
		}
	}
	return 0
}

// isAgent reports whether a process is the agent with a token.
func isAgent(pid int, token string) bool {
	args, err := inspect.Cmdline(pid)
	return err == nil && len(args) >= 3 && args[1] == "hold" && args[2] == token
}

// remains are the processes of a program that ran no command, still there to be
// looked at.
type remains struct {
	held   *Held
	status int      // with which it ended the first time; -1 if it did not end
	failed []Traced // its calls that the kernel refused; none if it did not end
	child  int      // its first child, else the program itself
	f      *Failure
}

// names makes the failure that of a mistake.
func (r *remains) names(mistake, diagnosis, look string) bool {
	r.f.Mistake, r.f.Diagnosis, r.f.Look = mistake, diagnosis, look
	return true
}

// cause knows one family of reasons for which a program ran nothing.
type cause func(*Subject, *remains) bool

// byCalls need the refused calls alone, byState the processes as well. They are asked
// up to the first that knows.
func byCalls() []cause { return []cause{panicCause, noLimitCause} }
func byState() []cause { return []cause{noUserCause, noRootCause, noNetCause, noOverlayCause} }

// why makes a failure to run anything more precise, by the calls that the kernel
// refused and by the state that it has the program's processes in. A program that
// gave up is run again, with a standard error that takes not a byte: whoever wants to
// say what went wrong waits there, in its namespaces, with its mounts and links as
// they are. What it wants to say is not looked at.
func (s *Subject) why(ctx context.Context, h *Held, command []string, err error) error {
	f, ok := errors.AsType[*Failure](err)
	ended := ok && (f.Mistake == "gave-up" || f.Mistake == "flag-unknown")
	if !ended && (!ok || f.Mistake != "never-begins") {
		return err
	}
	r := &remains{held: h, status: -1, f: f}
	knows := func(c cause) bool { return c(s, r) }
	if ended {
		r.status = status(h.cmd)
		r.failed = s.refusals(ctx, h.flags, command)
		if slices.ContainsFunc(byCalls(), knows) || f.Mistake != "gave-up" {
			return f
		}
		again, full, err := s.speechless(ctx, h.flags, command)
		if err != nil {
			return f // what is known already has to do
		}
		defer again.letSpeak(full)
		r.held = again
	}
	r.child = r.held.Program
	if below, err := inspect.Descendants(r.held.Program); err == nil && len(below) > 0 {
		r.child = below[0]
	}
	_ = slices.ContainsFunc(byState(), knows) // who knows has named it
	return f
}

// speechless starts the program with a full pipe as its standard error and waits
// until somebody wants to write to it.
func (s *Subject) speechless(
	ctx context.Context, flags, command []string,
) (h *Held, full *os.File, err error) {
	full, in, err := fullPipe()
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	if h, err = s.start(s.command(ctx, flags, command), in); err != nil {
		return nil, nil, errors.Join(err, full.Close())
	}
	h.flags = flags
	err = Until(ctx, patience(), func() (bool, error) {
		select {
		case <-h.ended:
			return false, errors.New("this time the program said nothing")
		default:
		}
		below, err := inspect.Descendants(h.Program)
		return slices.ContainsFunc(append(below, h.Program), speaks), err
	})
	// Who has not spoken yet is there to be looked at all the same.
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		h.kill()
		return nil, nil, errors.Join(err, full.Close())
	}
	return h, full, nil
}

// letSpeak empties the pipe, so that the program says what it wants and ends as it
// would have: what it has made on the host it can undo then.
func (h *Held) letSpeak(full *os.File) {
	go func() { _, _ = io.Copy(io.Discard, full) }() // ends when the pipe is closed
	select {
	case <-h.ended:
	case <-time.After(5 * time.Second):
	}
	h.kill()
	_ = full.Close() // it was only read
}

// fullPipe returns a pipe that nothing more can be written to.
func fullPipe() (out, in *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = unix.Write(fds[1], block)
	}
	// From now on whoever writes waits.
	err = unix.SetNonblock(fds[1], false)
	return os.NewFile(uintptr(fds[0]), "out"), os.NewFile(uintptr(fds[1]), "in"), err
}

// speaks reports whether a thread of a process is in a call that writes to
// standard error:
//
//	1 0x2 0xc000012345 0x2a 0x0 0x0 0x0 0x7ffc00000000 0x7f0000000000
//
// The first number is the call's, those after it are its arguments.
func speaks(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/syscall", pid, task.Name()))
		words := strings.Fields(string(text))
		if err != nil || len(words) < 2 || words[1] != "0x2" {
			continue
		}
		call, err := strconv.Atoi(words[0])
		if err == nil && (call == unix.SYS_WRITE || call == unix.SYS_WRITEV) {
			return true
		}
	}
	return false
}

// hostProc tells whether the caller's /proc is the caller's still: a program that
// mounts in its own mount namespace and not in a new one takes it away.
func (h *Held) hostProc() error {
	self, err := os.Readlink("/proc/self")
	if err == nil && self == strconv.Itoa(os.Getpid()) {
		return nil
	}
	f := &Failure{
		Command: h.Command, Expected: "the host's /proc stays what it was",
		Kernel: fmt.Sprintf("on the host /proc/self is %q, not process %d: %v",
			self, os.Getpid(), err),
		Diagnosis: "The container's mounts were made on the host: the child was cloned without " +
			"CLONE_NEWNS, or its mounts are shared with the host's.",
		Look: "umount /proc, on the host, before anything else",
	}
	// This host is thrown away: a /proc over the other one lets us see again.
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return f // what is known already has to do
	}
	f.Mistake, f.Diagnosis = "no-clone-newns", "The child was cloned without CLONE_NEWNS: "+
		"every mount that it made is one of the host."
	ours, err := inspect.Namespace(os.Getpid(), "mnt")
	below, errBelow := inspect.Descendants(h.Program)
	if errors.Join(err, errBelow) != nil {
		return f
	}
	for _, pid := range below {
		theirs, err := inspect.Namespace(pid, "mnt")
		if err == nil && theirs != ours {
			f.Mistake, f.Diagnosis = "root-left-shared", "The child's mounts are still peers of "+
				"the host's, so its /proc appeared on the host too: "+
				"make / private, recursively, before anything is mounted."
		}
	}
	return f
}

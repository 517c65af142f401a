//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// execChecks are those of 00-exec: the command is run as it was given.
func execChecks() []Check {
	return []Check{
		{"the arguments arrive whole", argumentsWhole},
		{"standard input arrives, standard output and error stay apart", streamsApart},
		{"the command gets no other open file", noFileLeaks},
		{"the exit status is the command's", statusPasses},
		{"a command ended by signal N gives 128+N", signalStatus},
		{"a command that is not there gives 127", notFound},
		{"a command that cannot be executed gives 126", notExecutable},
		{"signals reach the command", signalsReach},
		{"the command ends when the program is killed", killedWithProgram},
	}
}

// argumentsWhole passes arguments that a shell would take apart.
func argumentsWhole(ctx context.Context, s *Subject) error {
	args := []string{s.Word("two words"), "", "*", "-x", "line\nbreak", `"$HOME"`}
	r, err := s.Run(ctx, "", nil, append([]string{s.Probe(false), "argv"}, args...)...)
	if err != nil {
		return err
	}
	var want strings.Builder
	for _, a := range args {
		fmt.Fprintf(&want, "%q\n", a)
	}
	if r.Stdout == want.String() {
		return nil
	}
	f := &Failure{
		Command: r.Command, Expected: "the arguments, one a line:\n" + want.String(),
		Kernel: "the command was given:\n" + r.Stdout + r.Stderr,
	}
	if r.Stdout == "" && r.Status == 125 {
		f.Mistake = "gave-up"
		f.Diagnosis = "The program gave up by itself before the command ran; " +
			"the line that it printed names the call."
		return f
	}
	f.Mistake, f.Diagnosis = argumentsMistake(args, r)
	return f
}

// argumentsMistake tells by what arrived in which way the arguments were not handed
// on as the list that execve(2) takes.
func argumentsMistake(args []string, r Result) (mistake, diagnosis string) {
	got := strings.Split(strings.TrimSuffix(r.Stdout, "\n"), "\n")
	has := func(arg string) bool { return slices.Contains(got, strconv.Quote(arg)) }
	first, last, _ := strings.Cut(args[0], " ")
	switch {
	case has(args[0]) && has(args[4]) && !has("-x"):
		return "flags-of-command-taken", "The program took a flag that stands behind the " +
			"command's name for its own. Its own flags end where the command begins."
	case has(args[0]) && has(args[4]):
		return "argument-lost", "The arguments were not split, but not all of them arrived: " +
			"the list belongs to the command as it is, empty words too."
	case has(first) && has(last) && has("*"):
		return "argv-joined", "The arguments were joined by spaces and split again: execve(2) " +
			"takes a list, which is to be handed on as it is."
	case !has("*") && !has(args[5]):
		return "argv-through-shell", "A shell read the arguments: it split the words, looked " +
			"for files that fit * and put in variables. execve(2) takes the list as it is."
	}
	return "argv-changed", "The arguments that arrived are others: execve(2) takes a list, " +
		"and it is to be the one that the program was given."
}

// streamsApart sends random text through the command.
func streamsApart(ctx context.Context, s *Subject) error {
	text := s.Word("input")
	shell := filepath.Join(s.Root, "bin", "sh")
	r, err := s.Run(ctx, text+"\n", nil, shell, "-c", "read x; echo out $x; echo err $x >&2")
	if err != nil {
		return err
	}
	// The program may have said something of its own before.
	if r.Stdout == "out "+text+"\n" && strings.HasSuffix("\n"+r.Stderr, "\nerr "+text+"\n") {
		return nil
	}
	f := &Failure{
		Command:  fmt.Sprintf("echo %s | %s", text, r.Command),
		Expected: fmt.Sprintf("out %s on standard output, err %s on standard error", text, text),
		Kernel:   fmt.Sprintf("standard output %q, standard error %q", r.Stdout, r.Stderr),
		Look:     r.Command[:strings.Index(r.Command, " ")] + " run ls -l /proc/self/fd",
	}
	both := r.Stdout + r.Stderr
	switch {
	case strings.Contains(both, "out") && !strings.Contains(both, "out "+text):
		f.Mistake, f.Diagnosis = "stdin-not-handed-on", "The command's standard input is not the "+
			"program's: it was at its end at once."
	case strings.Contains(r.Stdout, "err "):
		f.Mistake, f.Diagnosis = "stderr-on-stdout", "The command's standard error is the program's "+
			"standard output: descriptor 2 has to stay 2."
	case strings.Contains(r.Stderr, "out "):
		f.Mistake, f.Diagnosis = "stdout-on-stderr", "The command's standard output is the program's "+
			"standard error: descriptor 1 has to stay 1."
	default:
		f.Mistake, f.Diagnosis = "output-lost", "What the command printed did not arrive: it has to "+
			"get the program's own descriptors 0, 1 and 2."
	}
	return f
}

// noFileLeaks looks at the open files of the command: with what is open beyond the
// three streams it could reach whatever the program has opened for itself.
func noFileLeaks(ctx context.Context, s *Subject) error {
	h, err := s.Hold(ctx, false)
	if err != nil {
		return err
	}
	files, judged := inherited(h.PID)
	// What this process has from its own caller the program has, too.
	ours, errOurs := inherited(os.Getpid())
	judged = errors.Join(judged, errOurs)
	files = slices.DeleteFunc(files, func(f string) bool { return slices.Contains(ours, f) })
	if judged == nil && len(files) > 0 {
		judged = &Failure{
			Command: h.Command, Expected: "the descriptors 0, 1 and 2, and no other",
			Kernel:  fmt.Sprintf("in /proc/%d/fd: %s", h.PID, strings.Join(files, ", ")),
			Mistake: "fd-leaked",
			Diagnosis: "A file that the program opened for itself is open in the command too. " +
				"What is not meant for it needs close-on-exec (O_CLOEXEC).",
			Look: fmt.Sprintf("ls -l /proc/%s/fd", h.pid()),
		}
	}
	_, err = h.Stop(ctx)
	return errors.Join(judged, err)
}

// inherited returns the open files that a process was started with, but for the
// standard streams. What it has opened itself since is marked close-on-exec:
//
//	pos:	0
//	flags:	02000002
func inherited(pid int) ([]string, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil || number < 3 {
			continue
		}
		var flags int
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, number))
		for line := range strings.Lines(string(info)) {
			_, _ = fmt.Sscanf(line, "flags: %o", &flags) // the other lines are others
		}
		if err != nil || flags&unix.O_CLOEXEC != 0 {
			continue
		}
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, number))
		if err != nil {
			return nil, err
		}
		files = append(files, fmt.Sprintf("%d -> %s", number, target))
	}
	return files, nil
}

//go:build linux

package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// execChecks are those of 00-exec: the command is run as it was given.
func execChecks() []Check {
	return []Check{
		{"the arguments arrive whole", argumentsWhole},
		{"standard input arrives, standard output and error stay apart", streamsApart},
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
		Command: r.Command, Expected: want.String(), Kernel: r.Stdout + r.Stderr,
		Diagnosis: "The arguments were joined and split again, or some were lost: " +
			"execve(2) takes a list, and no shell is needed.",
	}
	if r.Stdout == "" && r.Status == 125 {
		f.gaveUp()
	}
	return f
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
	return &Failure{
		Command:   fmt.Sprintf("echo %s | %s", text, r.Command),
		Expected:  fmt.Sprintf("out %s on standard output, err %s on standard error", text, text),
		Kernel:    fmt.Sprintf("standard output %q, standard error %q", r.Stdout, r.Stderr),
		Diagnosis: "The command did not get the program's own three standard streams.",
	}
}

// statusPasses tries 0 and a random status.
func statusPasses(ctx context.Context, s *Subject) error {
	for _, want := range []int{0, 7, 1 + s.Rand.IntN(100)} {
		r, err := s.Run(ctx, "", nil, s.Probe(false), "exit", fmt.Sprint(want))
		if err != nil {
			return err
		}
		err = wantStatus(r, want, "The command's exit status was lost on the way.")
		if err != nil {
			return err
		}
	}
	return nil
}

// wantStatus compares an exit status.
func wantStatus(r Result, want int, diagnosis string) error {
	if r.Status == want {
		return nil
	}
	return &Failure{
		Command: r.Command, Expected: fmt.Sprintf("exit status %d", want),
		Kernel:    fmt.Sprintf("exit status %d; %s", r.Status, strings.TrimSpace(r.Stderr)),
		Diagnosis: diagnosis,
		Look:      "echo $?",
	}
}

// signalStatus lets the command kill itself.
func signalStatus(ctx context.Context, s *Subject) error {
	for _, sig := range []int{int(unix.SIGKILL), int(unix.SIGTERM), int(unix.SIGUSR1)} {
		r, err := s.Run(ctx, "", nil, s.Probe(false), "signal", fmt.Sprint(sig))
		if err != nil {
			return err
		}
		err = wantStatus(r, 128+sig, "How the command ended was read as an exit status; "+
			"see WIFSIGNALED in wait(2).")
		if err != nil {
			return err
		}
	}
	return nil
}

// notFound names a command that exists nowhere, with and without a slash.
func notFound(ctx context.Context, s *Subject) error {
	for _, name := range []string{s.Word("nothing"), "/" + s.Word("nothing")} {
		r, err := s.Run(ctx, "", nil, name)
		if err != nil {
			return err
		}
		err = wantStatus(r, 127, "Callers tell a missing command by 127, as from a shell.")
		if err != nil {
			return err
		}
	}
	return nil
}

// notExecutable names a file without the x bit, and a directory.
func notExecutable(ctx context.Context, s *Subject) error {
	file, err := os.CreateTemp("", "lab-no-program")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := file.Close(); err != nil {
		return err
	}
	for _, name := range []string{file.Name(), filepath.Dir(file.Name())} {
		r, err := s.Run(ctx, "", nil, name)
		if err != nil {
			return err
		}
		err = wantStatus(r, 126, "Callers tell a file that cannot be executed by 126.")
		if err != nil {
			return err
		}
	}
	return nil
}

// signalsReach sends signals to the program and reads which arrived.
func signalsReach(ctx context.Context, s *Subject) error {
	h, err := s.Start(ctx, nil, s.Probe(false), "trap", "USR1", "HUP", "INT", "TERM")
	if err != nil {
		return err
	}
	signals := []struct {
		name   string
		number unix.Signal
	}{
		{"", 0}, // before the first one the agent says that it is ready
		{"USR1", unix.SIGUSR1},
		{"HUP", unix.SIGHUP},
		{"INT", unix.SIGINT},
		{"TERM", unix.SIGTERM},
	}
	lines := []string{"ready"}
	for _, sig := range signals {
		if sig.name != "" {
			lines = append(lines, sig.name)
			if err := h.Signal(sig.number); err != nil {
				return err
			}
		}
		want := strings.Join(lines, "\n") + "\n"
		err := Until(ctx, 5*time.Second, func() (bool, error) { return h.Output() == want, nil })
		if err != nil {
			kernel := fmt.Sprintf("the command caught: %q", h.Output())
			h.kill()
			return &Failure{
				Command:  h.Command,
				Expected: "a signal to the program reaches its command: " + sig.name,
				Kernel:   kernel,
				Diagnosis: "The signal ended at the program. " +
					"It has to be caught and sent on; see signal(7).",
			}
		}
	}
	r, err := h.Wait(ctx)
	if err != nil {
		return err
	}
	return wantStatus(r, 0, "The command ended by itself after TERM; the program did not.")
}

// killedWithProgram ends the program as nobody can prepare for and looks whether
// its command is still there.
func killedWithProgram(ctx context.Context, s *Subject) error {
	h, err := s.Hold(ctx, false)
	if err != nil {
		return err
	}
	started, err := inspect.StartTime(h.PID)
	if err != nil {
		return err
	}
	defer h.kill() // ends the agent in any case
	if err := h.Signal(unix.SIGKILL); err != nil {
		return err
	}
	<-h.ended
	alive := true
	_ = Until(ctx, 5*time.Second, func() (bool, error) { // alive tells how it went
		st, err := inspect.ReadStatus(h.PID)
		now, errStart := inspect.StartTime(h.PID)
		alive = err == nil && errStart == nil && st.State != 'Z' && now == started
		return !alive, nil
	})
	if !alive {
		return nil
	}
	return &Failure{
		Command: h.Command, Expected: "kill -KILL of the program ends its command too",
		Kernel:    fmt.Sprintf("process %d still runs, its parent is another one now", h.PID),
		Diagnosis: "Nobody told the command: prctl(2), PR_SET_PDEATHSIG, lets the kernel do it.",
		Look:      fmt.Sprintf("ps -o pid,ppid,args %s", h.pid()),
	}
}

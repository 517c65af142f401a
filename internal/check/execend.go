//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// statusPasses tries 0 and a random status.
func statusPasses(ctx context.Context, s *Subject) error {
	for _, want := range []int{0, 7, 1 + s.Rand.IntN(100)} {
		r, err := s.Run(ctx, "", nil, s.Probe(false), "exit", fmt.Sprint(want))
		if err != nil {
			return err
		}
		mistake, diagnosis := "exit-status-changed", "The program ends with another status than "+
			"its command: WEXITSTATUS in wait(2) is the one to hand on."
		switch r.Status {
		case 0:
			mistake, diagnosis = "exit-status-lost", "The program ends with 0 whatever its "+
				"command said: callers take the failure for a success."
		case 1:
			mistake, diagnosis = "exit-status-flattened", "The program ends with 1 for whatever "+
				"failure: the command's own status has a meaning, and gets lost."
		}
		if err := named(wantStatus(r, want, diagnosis), mistake); err != nil {
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

// named gives a failure the name of its mistake, if it has none.
func named(err error, mistake string) error {
	if f, ok := errors.AsType[*Failure](err); ok && f.Mistake == "" {
		f.Mistake = mistake
	}
	return err
}

// signalStatus lets the command kill itself.
func signalStatus(ctx context.Context, s *Subject) error {
	for _, sig := range []int{int(unix.SIGKILL), int(unix.SIGTERM), int(unix.SIGUSR1)} {
		r, err := s.Run(ctx, "", nil, s.Probe(false), "signal", fmt.Sprint(sig))
		if err != nil {
			return err
		}
		mistake, diagnosis := signalMistake(r.Status, sig)
		if err := named(wantStatus(r, 128+sig, diagnosis), mistake); err != nil {
			return err
		}
	}
	return nil
}

// signalMistake tells by the exit status how the end by a signal was misread.
func signalMistake(status, sig int) (mistake, diagnosis string) {
	switch status {
	case 0:
		return "signal-status-lost", "A command that was killed has no exit status, and the " +
			"program took that for 0: WIFSIGNALED in wait(2) comes first."
	case 255:
		return "signal-is-minus-one", "A command that was killed has no exit status; the -1 that " +
			"stands for that in some libraries became 255. WTERMSIG in wait(2) has the signal."
	case sig:
		return "signal-without-128", "The program ends with the signal's number, as if the " +
			"command had exited with it. A shell adds 128, so that callers can tell."
	}
	return "signal-status-flattened", "That a signal ended the command is lost: " +
		"WIFSIGNALED and WTERMSIG in wait(2) tell it, and 128 plus its number hands it on."
}

// notFound names a command that exists nowhere, with and without a slash.
func notFound(ctx context.Context, s *Subject) error {
	for _, name := range []string{s.Word("nothing"), "/" + s.Word("nothing")} {
		r, err := s.Run(ctx, "", nil, name)
		if err != nil {
			return err
		}
		err = wantStatus(r, 127, "There is no such command (ENOENT), and callers tell that "+
			"by 127, as from a shell; the program gives it another number.")
		if err != nil {
			return named(err, "not-found-status")
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
		err = wantStatus(r, 126, "The file is there and cannot be executed (EACCES), and callers "+
			"tell that by 126, as from a shell; the program gives it another number.")
		if err != nil {
			return named(err, "not-executable-status")
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
		err := Until(ctx, patience(), func() (bool, error) { return h.Output() == want, nil })
		if err != nil {
			f := h.signalLost(sig.name, lines)
			h.kill()
			return f
		}
	}
	r, err := h.Wait(ctx)
	if err != nil {
		return err
	}
	err = wantStatus(r, 0, "The command ended by itself after TERM; the program did not.")
	return named(err, "ends-by-its-own-signal")
}

// signalLost tells what became of a signal that did not reach the command.
func (h *Held) signalLost(name string, want []string) *Failure {
	got := strings.Split(strings.TrimSpace(h.Output()), "\n")
	f := &Failure{
		Command:  h.Command,
		Expected: "a signal to the program reaches its command: " + name,
		Kernel:   fmt.Sprintf("the command caught %q; the program ", got[1:]),
		Look:     "kill -" + name + " $(pgrep -of 'trap USR1 HUP INT TERM')",
	}
	if name == "" {
		f.Expected = "the command runs"
		f.Mistake, f.Diagnosis = "never-begins", "The command has not said that it is ready."
		return f
	}
	over := func() bool {
		select {
		case <-h.ended:
			return true
		case <-time.After(time.Second):
			return false
		}
	}
	f.Mistake, f.Diagnosis = "signal-swallowed", "The program caught the signal and did not "+
		"send it on: the command never heard of it."
	if len(got) >= len(want) {
		f.Kernel += "sent on another signal"
		f.Mistake, f.Diagnosis = "signal-changed", "The command got a signal, and another one "+
			"than the program: it may mean something else."
		return f
	}
	// Some languages make a program ignore USR1 where it has no handler; for TERM
	// none does.
	if !over() && (h.Signal(unix.SIGTERM) != nil || !over()) {
		f.Kernel += "still runs"
		return f
	}
	f.Kernel += fmt.Sprintf("ended with %d", status(h.cmd))
	if status(h.cmd) == 128+int(unix.SIGKILL) {
		f.Mistake, f.Diagnosis = "signal-kills-command", "The program answers the signal by "+
			"killing its command, which cannot end in order then: send on the signal that came."
		return f
	}
	f.Kernel = strings.Replace(f.Kernel, "ended with", "had no handler and ended with", 1)
	f.Mistake, f.Diagnosis = "signal-not-caught", "The program has no handler for the signal and "+
		"ended by it, its command was not told: catch it and send it on; see signal(7)."
	return f
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
	_ = Until(ctx, soon(), func() (bool, error) { // alive tells how it went
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
		Mistake:   "no-pdeathsig",
		Look:      "ps -o pid,ppid,args " + h.pid(),
	}
}

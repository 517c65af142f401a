//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Subject is a program under judgement and what it is given to work with.
type Subject struct {
	Step    string   // the step whose command line it has, such as "03-mount"
	Program string   // its path
	Root    string   // a built-in root file system
	Lab     string   // a lab that can trace; needed by some checks
	Agent   string   // where in Root our agent is; bin/probe if empty
	Flags   []string // put before each run's own flags, such as -user
	// Before is a command that is to execute the program, such as systemd-run --scope.
	Before []string
	// Credential is who runs the program; nil is the caller.
	Credential *syscall.Credential
	Rand       *rand.Rand // for names that no program can know beforehand
}

// Probe returns the path of our agent, as the container sees it when it gets
// the root file system (inside) and as everybody else does.
func (s *Subject) Probe(inside bool) string {
	agent := s.Agent
	if agent == "" {
		agent = "bin/probe"
	}
	if inside {
		return "/" + agent
	}
	return filepath.Join(s.Root, agent)
}

// own gives what a check has made to whoever runs the program.
func (s *Subject) own(dir string) error {
	if s.Credential == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(s.Credential.Uid), int(s.Credential.Gid)))
	})
}

// Word returns a random word, as a name or a token.
func (s *Subject) Word(prefix string) string {
	return fmt.Sprintf("%s-%08x", prefix, s.Rand.Uint32())
}

// Result is what a run of the program left for its caller.
type Result struct {
	Command string // copy and paste to repeat it
	Status  int    // 128+N when the program itself was ended by signal N
	Stdout  string
	Stderr  string
}

// timeLimit is how long one run may take before it is ended.
func timeLimit() time.Duration { return patience() * 3 / 2 }

// Run runs the program once and waits for it. The flags are those of its run
// command; stdin may be empty.
func (s *Subject) Run(
	ctx context.Context, stdin string, flags []string, command ...string,
) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit())
	defer cancel()
	cmd := s.command(ctx, flags, command)
	var out, errOut buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	runtime.LockOSThread() // for the Pdeathsig, see Start
	err := cmd.Run()
	runtime.UnlockOSThread()
	if ctx.Err() != nil {
		return Result{}, &Failure{
			Command: shellLine(cmd.Args), Expected: "the program ends",
			Kernel:    fmt.Sprintf("it still ran after %s", timeLimit()),
			Diagnosis: "The program waits for something that does not come.",
			Mistake:   "never-ends",
		}
	}
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return Result{}, fmt.Errorf("run %s: %w", s.Program, err)
	}
	return Result{shellLine(cmd.Args), status(cmd), out.String(), errOut.String()}, nil
}

// command makes the command line, in a session of its own: no terminal's
// signals reach it, and its process group can be ended whole.
func (s *Subject) command(ctx context.Context, flags, command []string) *exec.Cmd {
	args := slices.Concat(s.Before, []string{s.Program, "run"}, s.Flags, flags, command)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Pdeathsig: unix.SIGKILL, Credential: s.Credential,
	}
	// Who gives up asks the program to end, so that it can undo what it made.
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// status returns the exit status of a command that has ended.
func status(cmd *exec.Cmd) int {
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// shellLine puts arguments into a line that a shell takes apart again.
func shellLine(args []string) string { return strings.Join(ShellWords(args), " ") }

// ShellWords quotes arguments for a shell where they need it.
func ShellWords(args []string) []string {
	var words []string
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`!#&|;<>()*?[]{}~") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return words
}

// Held is a running container whose command is our agent, waiting.
type Held struct {
	Command string // what was run, for a shell
	Args    []string
	flags   []string
	token   string // in the agent's command line
	Program int    // pid of the program itself
	Init    int    // pid of the container's first process; the agent's if there is none
	PID     int    // pid of the agent

	cmd         *exec.Cmd
	ended       chan struct{} // closed when the program has been waited for
	stdin       *os.File      // open until Stop or Wait: the agent lives that long
	out, errOut *buffer
}

// Hold starts a container and returns when our agent runs in it. All pids are
// those of the caller's PID namespace. Inside says that the agent is to be
// found in the root file system that the flags give.
func (s *Subject) Hold(ctx context.Context, inside bool, flags ...string) (*Held, error) {
	return s.HoldAfter(ctx, inside, "", flags...)
}

// pid is for a shell on the host, where the agent has another number when the
// command is repeated: the newest process with the token in its command line.
func (h *Held) pid() string { return "$(pgrep -nf " + h.token + ")" }

// HoldAfter is Hold with a line of shell that the container runs first.
func (s *Subject) HoldAfter(
	ctx context.Context, inside bool, prelude string, flags ...string,
) (*Held, error) {
	command := []string{s.Probe(inside), "hold", s.Word("token")}
	token := command[2]
	if prelude != "" {
		shell := strings.TrimSuffix(command[0], s.Probe(true)) + "/bin/sh"
		end := "; "
		if strings.HasSuffix(prelude, "&") {
			end = " " // the sign ends a command, too
		}
		command = []string{shell, "-c", prelude + end + "exec " + shellLine(command)}
	}
	return s.hold(ctx, flags, token, command)
}

// HoldWith is Hold for an agent on the host's root that is given more arguments,
// which it does not look at: they are there to be found in /proc/PID/cmdline.
func (s *Subject) HoldWith(ctx context.Context, more []string, flags ...string) (*Held, error) {
	token := s.Word("token")
	return s.hold(ctx, flags, token, append([]string{s.Probe(false), "hold", token}, more...))
}

// hold starts a command that is or becomes our agent and finds it by its token.
func (s *Subject) hold(
	ctx context.Context, flags []string, token string, command []string,
) (*Held, error) {
	h, err := s.Start(ctx, flags, command...)
	if err != nil {
		return nil, err
	}
	h.token, h.flags = token, flags
	if err := h.find(ctx, token); err != nil {
		err = s.why(ctx, h, command, err)
		h.kill()
		return nil, err
	}
	return h, nil
}

// Start starts the program with any command and does not wait for anything.
func (s *Subject) Start(ctx context.Context, flags []string, command ...string) (*Held, error) {
	errOut := &buffer{}
	h, err := s.start(s.command(ctx, flags, command), errOut)
	if err == nil {
		h.errOut = errOut
	}
	return h, err
}

// start starts a command line with a standard error of its own.
func (s *Subject) start(cmd *exec.Cmd, errOut io.Writer) (*Held, error) {
	h := &Held{
		Command: shellLine(cmd.Args), Args: cmd.Args, cmd: cmd, ended: make(chan struct{}),
		out: &buffer{}, errOut: &buffer{},
	}
	cmd.Stdout, cmd.Stderr = h.out, errOut
	// Not StdinPipe: that one ends with the program, and with it would end an
	// agent that the program leaves behind, which nobody would see then.
	input, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	cmd.Stdin, h.stdin = input, stdin
	// A Pdeathsig goes by the thread that started the child, and a thread of
	// Go may end at any time: this one stays until the child has been waited
	// for.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait() // its status is read from ProcessState
		close(h.ended)
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Program, err), stdin.Close())
	}
	h.Program = cmd.Process.Pid
	return h, nil
}

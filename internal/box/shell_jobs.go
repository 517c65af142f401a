//go:build linux

package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// own marks a command name that builtin answers. It cannot be typed, as a name with
// a NUL byte reaches no shell.
const own = "\x00"

// lastJob is the variable that stands for $! after rewrite.
const lastJob = "_last_job_pid"

// job is one background statement.
type job struct {
	number int
	text   string
	pid    chan int // one value: the pid of its first external command
	done   chan struct{}
	status int
	first  int // that pid once known, 0 before
}

type jobKey struct{}

// jobOf returns the job a command runs for, nil in the foreground.
func jobOf(ctx context.Context) *job {
	j, _ := ctx.Value(jobKey{}).(*job)
	return j
}

// started reports a pid of the job; the first one stays its name.
func (j *job) started(pid int) {
	select {
	case j.pid <- pid:
	default:
	}
}

// rewrite changes the statements that must act on the real process, before they run:
// `exec COMMAND` replaces it, `COMMAND &` gets a real pid, and `$!` is that pid.
// It leaves alone what runs in a subshell, which is no process of its own: there the
// interpreter's own ways hold (exec runs a child and ends the subshell).
func (s *shell) rewrite(stmts []*syntax.Stmt) {
	for _, stmt := range stmts {
		rewriteLastJob(stmt)
		if stmt.Background {
			s.plan(stmt)
			continue
		}
		s.rewriteCommand(stmt.Cmd)
	}
}

// plan stores a background statement and puts a call in its place that starts it.
func (s *shell) plan(stmt *syntax.Stmt) {
	planned := *stmt
	planned.Background = false
	number := strconv.Itoa(len(s.planned))
	s.planned = append(s.planned, &planned)
	*stmt = syntax.Stmt{Position: stmt.Position,
		Cmd: &syntax.CallExpr{Args: []*syntax.Word{word(own + "start"), word(number)}}}
}

// rewriteCommand descends into the commands that run in the shell's own process.
func (s *shell) rewriteCommand(cmd syntax.Command) {
	switch cmd := cmd.(type) {
	case *syntax.CallExpr:
		if len(cmd.Args) > 1 && cmd.Args[0].Lit() == "exec" {
			cmd.Args[0] = word(own + "exec")
		}
	case *syntax.Block:
		s.rewrite(cmd.Stmts)
	case *syntax.IfClause:
		for clause := cmd; clause != nil; clause = clause.Else {
			s.rewrite(clause.Cond)
			s.rewrite(clause.Then)
		}
	case *syntax.WhileClause:
		s.rewrite(cmd.Cond)
		s.rewrite(cmd.Do)
	case *syntax.ForClause:
		s.rewrite(cmd.Do)
	case *syntax.CaseClause:
		for _, item := range cmd.Items {
			s.rewrite(item.Stmts)
		}
	case *syntax.BinaryCmd:
		if cmd.Op == syntax.AndStmt || cmd.Op == syntax.OrStmt {
			s.rewrite([]*syntax.Stmt{cmd.X, cmd.Y})
		}
	}
}

// rewriteLastJob replaces $! below a node, but not in functions: their `&` is not
// rewritten either, as they may run in a subshell.
func rewriteLastJob(stmt *syntax.Stmt) {
	syntax.Walk(stmt, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.FuncDecl:
			return false
		case *syntax.ParamExp:
			if node.Param != nil && node.Param.Value == "!" {
				node.Param.Value = lastJob
			}
		}
		return true
	})
}

// word makes a literal word.
func word(text string) *syntax.Word {
	return &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: text}}}
}

// call sees every simple command before it runs. It leads names that the
// interpreter reserves but does not have to our own, and runs due traps first.
func (s *shell) call(_ context.Context, args []string) ([]string, error) {
	if len(s.caught) > 0 && !strings.HasPrefix(args[0], own) {
		return append([]string{own + "traps"}, args...), nil
	}
	switch args[0] {
	case "kill", "jobs", "fg", "wait", "umask":
		return append([]string{own + args[0]}, args[1:]...), nil
	case "trap":
		if trapsSignals(args[1:]) {
			return append([]string{own + "trap"}, args[1:]...), nil
		}
	}
	return args, nil
}

// trapsSignals reports whether the operands of trap name a signal, not only the
// interpreter's own EXIT and ERR.
func trapsSignals(args []string) bool {
	return len(args) > 1 && slices.ContainsFunc(args[1:], func(name string) bool {
		_, ok := signalByName(name)
		return ok
	})
}

// builtin runs one of our own builtins.
func (s *shell) builtin(ctx context.Context, hc interp.HandlerContext, name string,
	args []string) error {
	var err error
	switch name {
	case "exec":
		return s.replace(hc, args)
	case "start":
		return s.startJob(ctx, hc, args[0])
	case "traps":
		if err := s.runTraps(ctx, hc); err != nil {
			return err
		}
		return hc.Builtin(ctx, []string{"eval", quoteAll(args)})
	case "kill":
		return s.external(ctx, hc, append([]string{"kill"}, s.jobPIDs(args)...))
	case "wait":
		return s.waitJobs(ctx, hc, args)
	case "jobs":
		s.listJobs(hc.Stdout)
	case "fg":
		return s.foreground(ctx, hc, args)
	case "umask":
		err = umask(hc.Stdout, args)
	case "trap":
		err = s.trap(args[0], args[1:])
	}
	if err != nil {
		fmt.Fprintf(hc.Stderr, "sh: %v\n", err)
		return interp.ExitStatus(1)
	}
	return nil
}

// startJob starts planned statement n in the background and sets $! to the pid of
// its first external command.
func (s *shell) startJob(ctx context.Context, hc interp.HandlerContext, n string) error {
	number, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	stmt := s.planned[number]
	j := &job{number: len(s.jobs) + 1, text: source(stmt), pid: make(chan int, 1),
		done: make(chan struct{})}
	sub := s.runner.Subshell()
	// A background job does not compete for the terminal or the script.
	if null, err := os.Open(os.DevNull); err == nil {
		_ = interp.StdIO(null, hc.Stdout, hc.Stderr)(sub) // Cannot fail with a file.
	}
	go func() {
		var code interp.ExitStatus
		// The job outlives the line that started it, so Ctrl-C does not end it.
		jctx := context.WithValue(context.WithoutCancel(ctx), jobKey{}, j)
		if err := sub.Run(jctx, stmt); errors.As(err, &code) {
			j.status = int(code)
		}
		close(j.done)
	}()
	s.jobs = append(s.jobs, j)

	// A job that starts no process, such as a loop of builtins, has no pid.
	select {
	case j.first = <-j.pid:
	case <-j.done:
		select {
		case j.first = <-j.pid:
		default:
		}
	case <-time.After(100 * time.Millisecond):
	}
	if s.interactive {
		fmt.Fprintf(hc.Stderr, "[%d] %d\n", j.number, j.first)
	}
	pid := ""
	if j.first > 0 {
		pid = strconv.Itoa(j.first)
	}
	return hc.Builtin(ctx, []string{"eval", lastJob + "=" + pid})
}

// source returns the text of a statement.
func source(stmt *syntax.Stmt) string {
	var text strings.Builder
	if err := syntax.NewPrinter(syntax.SingleLine(true)).Print(&text, stmt); err != nil {
		return "?"
	}
	return strings.TrimSpace(strings.ReplaceAll(text.String(), lastJob, "!"))
}

// jobPIDs replaces %1 by the pid of job 1.
func (s *shell) jobPIDs(args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if j := s.job(arg); j != nil && strings.HasPrefix(arg, "%") && j.first > 0 {
			args[i] = strconv.Itoa(j.first)
		}
	}
	return args
}

// job finds a job by %number or pid.
func (s *shell) job(name string) *job {
	number, isNumber := strings.CutPrefix(name, "%")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	for _, j := range s.jobs {
		if isNumber && j.number == n || !isNumber && j.first == n {
			return j
		}
	}
	return nil
}

// waitJobs is `wait [PID|%JOB…]`. A trapped signal ends it with 128+n.
func (s *shell) waitJobs(ctx context.Context, hc interp.HandlerContext, args []string) error {
	if len(args) == 0 {
		for _, j := range s.jobs {
			if err := s.await(ctx, hc, j); err != nil {
				return err
			}
		}
		s.jobs = nil
		return hc.Builtin(ctx, []string{"wait"})
	}
	code := 0
	for _, arg := range args {
		j := s.job(arg)
		if j == nil {
			return hc.Builtin(ctx, append([]string{"wait"}, args...))
		}
		if err := s.await(ctx, hc, j); err != nil {
			return err
		}
		code = j.status
	}
	if code != 0 {
		return interp.ExitStatus(code)
	}
	return nil
}

// await waits for a job, a trapped signal or Ctrl-C, whichever comes first.
func (s *shell) await(ctx context.Context, hc interp.HandlerContext, j *job) error {
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return interp.ExitStatus(130)
	case sig := <-s.caught:
		s.caught <- sig
		if err := s.runTraps(ctx, hc); err != nil {
			return err
		}
		return interp.ExitStatus(128 + int(sig.(syscall.Signal)))
	}
}

// foreground is `fg [%JOB]`: it waits for the last or the named job.
func (s *shell) foreground(ctx context.Context, hc interp.HandlerContext, args []string) error {
	for i := len(s.jobs) - 1; i >= 0; i-- {
		j := s.jobs[i]
		if len(args) > 0 && s.job(args[0]) != j {
			continue
		}
		fmt.Fprintln(hc.Stdout, j.text)
		if err := s.await(ctx, hc, j); err != nil {
			return err
		}
		if j.status != 0 {
			return interp.ExitStatus(j.status)
		}
		return nil
	}
	fmt.Fprintln(hc.Stderr, "sh: fg: no such job")
	return interp.ExitStatus(1)
}

// listJobs prints the jobs and forgets those that are done.
func (s *shell) listJobs(out io.Writer) {
	running := s.jobs[:0]
	for _, j := range s.jobs {
		select {
		case <-j.done:
			fmt.Fprintf(out, "[%d] done     %s\n", j.number, j.text)
		default:
			fmt.Fprintf(out, "[%d] running  %s\n", j.number, j.text)
			running = append(running, j)
		}
	}
	s.jobs = running
}

// umask prints or sets the file mode creation mask.
func umask(out io.Writer, args []string) error {
	if len(args) == 0 {
		mask := syscall.Umask(0)
		syscall.Umask(mask)
		fmt.Fprintf(out, "%04o\n", mask)
		return nil
	}
	mask, err := strconv.ParseUint(args[0], 8, 12)
	if err != nil {
		return fmt.Errorf("umask: %q is not an octal mode", args[0])
	}
	syscall.Umask(int(mask))
	return nil
}

// quoteAll returns words as shell source that expands to exactly them.
func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

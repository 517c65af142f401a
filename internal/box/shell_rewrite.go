//go:build linux

package box

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// own marks a command name that builtin answers. It cannot be typed, as a name with
// a NUL byte reaches no shell.
const own = "\x00"

// lastJob is the variable that stands for $! after rewrite.
const lastJob = "_last_job_pid"

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
	*stmt = syntax.Stmt{
		Position: stmt.Position,
		Cmd:      &syntax.CallExpr{Args: []*syntax.Word{word(own + "start"), word(number)}},
	}
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
func (s *shell) call(ctx context.Context, args []string) ([]string, error) {
	if interp.IsBuiltin(args[0]) || strings.HasPrefix(args[0], own) {
		jobOf(ctx).lingers()
	}
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

// source returns the text of a statement.
func source(stmt *syntax.Stmt) string {
	var text strings.Builder
	if err := syntax.NewPrinter(syntax.SingleLine(true)).Print(&text, stmt); err != nil {
		return "?"
	}
	return strings.TrimSpace(strings.ReplaceAll(text.String(), lastJob, "!"))
}

// quoteAll returns words as shell source that expands to exactly them.
func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

package build

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"
)

// LineError is what is wrong with a Dockerfile, and where.
type LineError struct {
	Line int
	Err  error
}

// Error begins with the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// ExitError is a command that ended with another status than zero.
type ExitError struct{ Status int }

// Error tells the status.
func (e *ExitError) Error() string {
	return fmt.Sprintf("the command ended with status %d", e.Status)
}

// unknownError is an instruction that there is not.
type unknownError struct{ word string }

// Error names it.
func (e unknownError) Error() string { return "there is no instruction " + e.word }

// Hint is the instruction that was meant, or all that there are.
func (e unknownError) Hint() string {
	var all []string
	for name := range command.Commands {
		all = append(all, strings.ToUpper(name))
	}
	slices.Sort(all)
	if similar, ok := suggest.Search(e.word, all, true); ok {
		return similar + " is one"
	}
	return "there are " + strings.Join(all, " ")
}

// atLine says where an error is.
func atLine(at []parser.Range, err error) error {
	if _, has := errors.AsType[*LineError](err); err == nil || has || len(at) == 0 {
		return err
	}
	return &LineError{Line: at[0].Start.Line, Err: err}
}

// located takes the line out of an error of the parser's, and the words that say it again.
func located(err error) error {
	if where, ok := errors.AsType[*parser.LocationError](err); ok && len(where.Locations) > 0 {
		inner := errors.Unwrap(where)
		if unknown, ok := errors.AsType[*instructions.UnknownInstructionError](err); ok {
			inner = unknownError{strings.ToUpper(unknown.Instruction)}
		}
		return atLine(where.Locations[0], inner)
	}
	return err
}

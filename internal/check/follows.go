//go:build linux

package check

import (
	"context"
	"errors"
)

// question is what a check asks a program.
type question func(ctx context.Context, s *Subject) error

// follows makes a check of a question that takes for granted what others ask. If
// the answer is wrong these are asked, too: whoever fails one of them is told of
// that, for the rest follows from it.
func follows(ask question, from ...question) question {
	return func(ctx context.Context, s *Subject) error {
		err := ask(ctx, s)
		if _, failed := errors.AsType[*Failure](err); !failed {
			return err
		}
		for _, first := range from {
			if f, failed := errors.AsType[*Failure](first(ctx, s)); failed {
				return f
			}
		}
		return err
	}
}

// called names the mistake of a failure that has no name yet.
func called(mistake string, err error) error {
	if f, ok := errors.AsType[*Failure](err); ok && f.Mistake == "" {
		f.Mistake = mistake
	}
	return err
}

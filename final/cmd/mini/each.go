package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/hint"
)

// act is what a verb does with one container. What it returns is printed.
type act func(e *engine.Engine, c *engine.Container, word string) (string, error)

// each makes a verb's work: the same with all containers that are named. Each is tried,
// whatever became of the others.
func (a *app) each(verb string, do act) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		e, err := a.engine()
		if err != nil {
			return err
		}
		var all error
		for _, word := range args {
			c, err := e.Find(word)
			said := ""
			if err == nil {
				said, err = do(e, c, word)
			}
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
			}
			if err != nil {
				all = errors.Join(all, about(verb, word, err))
			}
		}
		return all
	}
}

// about names the verb and the container that an error is about.
func about(verb, word string, err error) error {
	err = fmt.Errorf("%s: %w", strings.TrimSpace(verb+" "+word), err)
	switch {
	case errors.Is(err, engine.ErrRunning):
		return hint.Add(err, "mini stop "+word+" ends it first, or --force where a verb has that")
	case errors.Is(err, engine.ErrPaused):
		return hint.Add(err, "mini unpause "+word)
	case errors.Is(err, engine.ErrNotRunning):
		return hint.Add(err, "mini start "+word)
	}
	return err
}

// one finds the container of a verb that is about one.
func (a *app) one(verb, word string) (*engine.Engine, *engine.Container, error) {
	e, err := a.engine()
	if err != nil {
		return nil, nil, err
	}
	c, err := e.Find(word)
	if err != nil {
		return nil, nil, about(verb, word, err)
	}
	return e, c, nil
}

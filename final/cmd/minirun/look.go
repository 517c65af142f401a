package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"lab/final/internal/runtime"
)

// state prints what is known of a container, as JSON.
func (a *app) state(args []string) (int, error) {
	flags := newFlags("state")
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	s, err := a.rt.State(flags.Arg(0))
	if err != nil {
		return 0, in("state", err)
	}
	return 0, a.json(s)
}

// json prints a value.
func (a *app) json(value any) error {
	out := json.NewEncoder(a.out)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(value)
}

// line prints a value in one line, for those who read a stream.
func (a *app) line(value any) error { return json.NewEncoder(a.out).Encode(value) }

// list prints all containers.
func (a *app) list(args []string) (int, error) {
	flags := newFlags("list")
	format := flags.String("format", "table", "print in `FORMAT`: table or json")
	flags.StringVar(format, "f", "table", "")
	quiet := flags.Bool("quiet", false, "print names alone")
	flags.BoolVar(quiet, "q", false, "")
	if err := arguments(flags, args, 0, 0); err != nil {
		return 0, err
	}
	all, err := a.rt.List()
	if err != nil {
		return 0, in("list", err)
	}
	switch {
	case *quiet:
		for _, s := range all {
			if _, err := fmt.Fprintln(a.out, s.ID); err != nil {
				return 0, err
			}
		}
		return 0, nil
	case *format == "json":
		return 0, a.json(all)
	case *format == "table":
		return 0, a.table(all)
	}
	return 0, fmt.Errorf("%w: --format %q is none of table, json", errUsage, *format)
}

// table prints containers for people.
func (a *app) table(all []runtime.State) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.Pid, s.Status, s.Bundle,
			s.Created.Format(time.RFC3339), s.Owner)
	}
	return w.Flush()
}

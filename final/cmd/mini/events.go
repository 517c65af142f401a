package main

import (
	"context"
	"fmt"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/final/internal/event"
)

// eventFlags are the flags of `mini events`.
type eventFlags struct {
	since, until, format string
	filters              []string
}

// newEvents makes `mini events`.
func newEvents(a *app) *cobra.Command {
	var f eventFlags
	cmd := &cobra.Command{
		Use:     "events [FLAGS]",
		Short:   "Show what happens to containers",
		GroupID: groupLook,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := f.show(cmd, a)
			if err != nil {
				return fmt.Errorf("events: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "also what is younger: a time, or how long ago (10m)")
	flags.StringVar(&f.until, "until", "", "end there, as 0s does now; else it goes on")
	flags.StringVar(&f.format, "format", "", "json, or a template: '{{.Action}}'")
	flags.StringArrayVarP(&f.filters, "filter", "f", nil,
		"only those: container= event= image= label= type=")
	return cmd
}

// show shows the events that are asked for, and goes on until they end. Those who set
// neither a beginning nor an end want to see what comes.
func (f *eventFlags) show(cmd *cobra.Command, a *app) error {
	now := time.Now()
	q := event.Query{Follow: true}
	var err error
	if q.Since, err = parseTime(f.since, now); err != nil {
		return fmt.Errorf("%w: --since %w", errUsage, err)
	}
	if q.Until, err = parseTime(f.until, now); err != nil {
		return fmt.Errorf("%w: --until %w", errUsage, err)
	}
	if q.Since.IsZero() && q.Until.IsZero() {
		q.Since = now
	}
	if q.Wanted, err = parseEventFilters(f.filters); err != nil {
		return err
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	return e.Events().Read(ctx, q, func(happened event.Event) error {
		return f.print(cmd, happened)
	})
}

// print prints one, as docker does:
//
//	2026-01-02T15:04:05.000000001Z container die 4f2a… (exitCode=0, image=base, name=web)
func (f *eventFlags) print(cmd *cobra.Command, e event.Event) error {
	if f.format != "" {
		return printRows(cmd.OutOrStdout(), f.format, []event.Event{e}, "", nil)
	}
	var about []string
	for _, key := range slices.Sorted(maps.Keys(e.Actor.Attributes)) {
		about = append(about, key+"="+e.Actor.Attributes[key])
	}
	id, at := e.Actor.ID, "2006-01-02T15:04:05.000000000Z07:00"
	if terminalWidth(cmd.OutOrStdout()) > 0 {
		id, at = id[:min(len(id), 12)], time.DateTime // which fits in a line
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s %s (%s)\n", e.At().Format(at), e.Type,
		e.Action, id, strings.Join(about, ", "))
	return err
}

// parseEventFilters reads the --filter flags: of each kind one of those that are named.
func parseEventFilters(texts []string) (func(event.Event) bool, error) {
	known := []string{"container", "event", "image", "label", "type"}
	wanted := map[string][]string{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || !slices.Contains(known, key) {
			return nil, fmt.Errorf("%w: --filter %q is none of %s=…", errUsage, text,
				strings.Join(known, "= "))
		}
		wanted[key] = append(wanted[key], value)
	}
	return func(e event.Event) bool {
		for key, values := range wanted {
			is := func(value string) bool { return matchEvent(e, key, value) }
			if !slices.ContainsFunc(values, is) {
				return false
			}
		}
		return true
	}, nil
}

// matchEvent reports whether an event is what one filter says.
func matchEvent(e event.Event, key, value string) bool {
	about := e.Actor.Attributes
	switch key {
	case "container":
		return about["name"] == value || value != "" && strings.HasPrefix(e.Actor.ID, value)
	case "event": // health_status is followed by which it is
		action, _, _ := strings.Cut(e.Action, ":")
		return e.Action == value || action == value
	case "image":
		return about["image"] == value
	case "type":
		return e.Type == value
	}
	name, text, given := strings.Cut(value, "=")
	has, there := about[name]
	return there && (!given || has == text)
}

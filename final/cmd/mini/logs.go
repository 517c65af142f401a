package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/final/internal/engine"
	"lab/final/internal/monitor"
)

// logFlags are the flags of `mini logs`.
type logFlags struct {
	follow, times      bool
	tail, since, until string
}

// newLogs makes `mini logs`.
func newLogs(a *app) *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:     "logs [FLAGS] CONTAINER",
		Short:   "Show what a container has said",
		GroupID: groupLook,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			query, err := f.query(time.Now())
			if err != nil {
				return err
			}
			e, c, err := a.one("logs", args[0])
			if err == nil {
				err = f.show(cmd, e, c, query)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on until it ends")
	flags.BoolVarP(&f.times, "timestamps", "t", false, "begin each line with its time")
	flags.StringVarP(&f.tail, "tail", "n", "all", "how many of the last lines")
	flags.StringVar(&f.since, "since", "", "only what is younger: a time, or how long ago (10m)")
	flags.StringVar(&f.until, "until", "", "only what is older")
	return cmd
}

// query is what the flags ask for.
func (f *logFlags) query(now time.Time) (q monitor.LogQuery, err error) {
	q.Tail = -1
	if f.tail != "all" {
		if q.Tail, err = strconv.Atoi(f.tail); err != nil {
			return q, fmt.Errorf("%w: --tail %q is neither a number nor all", errUsage, f.tail)
		}
	}
	if q.Since, err = parseTime(f.since, now); err != nil {
		return q, fmt.Errorf("%w: --since %w", errUsage, err)
	}
	if q.Until, err = parseTime(f.until, now); err != nil {
		return q, fmt.Errorf("%w: --until %w", errUsage, err)
	}
	return q, nil
}

// parseTime reads a time, how long ago it was, or the seconds since 1970. Nothing is
// none.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02",
	} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Unix(0, int64(seconds*float64(time.Second))), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a time such as 2006-01-02T15:04:05 nor "+
		"how long ago, such as 10m", text)
}

// show shows the log and, if it is followed, what comes, until the container's end.
func (f *logFlags) show(cmd *cobra.Command, e *engine.Engine, c *engine.Container,
	q monitor.LogQuery,
) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if f.follow {
		ended := make(chan struct{})
		q.Ended = ended
		go func() {
			defer close(ended)
			_, _ = e.Wait(c) // if it does not run there is nothing to wait for
		}()
	}
	return monitor.ReadLog(ctx, c.LogPath, q, func(line monitor.Line) error {
		to, text := cmd.OutOrStdout(), line.Text
		if line.Stream == monitor.Errors {
			to = cmd.ErrOrStderr()
		}
		if f.times {
			text = line.At.Format("2006-01-02T15:04:05.000000000Z07:00") + " " + text
		}
		if line.Whole {
			text += "\n"
		}
		_, err := io.WriteString(to, text)
		return err
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/final/internal/engine"
)

// statsFlags are the flags of `mini stats`.
type statsFlags struct {
	all, once, whole bool
	format           string
	words            []string
}

// newStats makes `mini stats`.
func newStats(a *app) *cobra.Command {
	f := statsFlags{}
	cmd := &cobra.Command{
		Use:     "stats [FLAGS] [CONTAINER…]",
		Short:   "Show what containers use, again and again",
		GroupID: groupLook,
		Args:    arguments(0, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.words = args
			e, err := a.engine()
			if err == nil {
				err = f.show(cmd, e)
			}
			if err != nil {
				return fmt.Errorf("stats: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.all, "all", "a", false, "also those that do not run")
	flags.BoolVar(&f.once, "no-stream", false, "only once")
	flags.BoolVar(&f.whole, "no-trunc", false, "cut nothing short")
	flags.StringVar(&f.format, "format", "table", "table, json, or a template: '{{.MemUsage}}'")
	return cmd
}

// usageRow is what a container uses, in docker's words.
type usageRow struct {
	Container, ID, Name, CPUPerc, MemUsage, MemPerc, NetIO, BlockIO, PIDs string
}

// How long is measured before the first table, and how often there is one.
const (
	firstLook = 500 * time.Millisecond
	nextLook  = time.Second
)

// show prints tables until it is interrupted, or one. A table of a terminal takes the
// place of the one before.
func (f *statsFlags) show(cmd *cobra.Command, e *engine.Engine) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	before, err := f.measure(e)
	for wait := firstLook; err == nil; wait = nextLook {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		var now []measured
		if now, err = f.measure(e); err != nil {
			break
		}
		if err = f.print(cmd.OutOrStdout(), before, now); f.once {
			break
		}
		before = now
	}
	return err
}

// measured is a container and what it uses, nil if it does not run.
type measured struct {
	container *engine.Container
	usage     *engine.Usage
}

// measure looks at the containers that are wanted.
func (f *statsFlags) measure(e *engine.Engine) ([]measured, error) {
	wanted, err := f.containers(e)
	if err != nil {
		return nil, err
	}
	var all []measured
	for _, c := range wanted {
		usage, err := e.Usage(c)
		switch {
		case err == nil:
			all = append(all, measured{c, &usage})
		case !errors.Is(err, engine.ErrNotRunning):
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		case f.all || len(f.words) > 0:
			all = append(all, measured{c, nil})
		}
	}
	return all, nil
}

// containers are those that are named, or all.
func (f *statsFlags) containers(e *engine.Engine) ([]*engine.Container, error) {
	if len(f.words) == 0 {
		return e.List()
	}
	var all []*engine.Container
	for _, word := range f.words {
		c, err := e.Find(word)
		if err != nil {
			return nil, about("", word, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// print prints one table.
func (f *statsFlags) print(w io.Writer, before, now []measured) error {
	host, err := engine.HostMemory()
	if err != nil {
		return err
	}
	rows := []usageRow{}
	for _, m := range now {
		i := slices.IndexFunc(before, func(b measured) bool {
			return b.container.ID == m.container.ID
		})
		var earlier *engine.Usage
		if i >= 0 {
			earlier = before[i].usage
		}
		rows = append(rows, f.row(m, earlier, host))
	}
	if !f.once && terminalWidth(w) > 0 {
		fmt.Fprint(w, "\x1b[H\x1b[J") // from the upper left corner on
	}
	return printRows(w, f.format, rows, "CONTAINER ID\tNAME\tCPU %\tMEM USAGE / LIMIT\tMEM %\t"+
		"NET I/O\tBLOCK I/O\tPIDS", func(r usageRow) string {
		return strings.Join([]string{
			r.ID, r.Name, r.CPUPerc, r.MemUsage, r.MemPerc, r.NetIO, r.BlockIO, r.PIDs,
		}, "\t")
	}, "CONTAINER ID", "MEM %", "BLOCK I/O")
}

// row puts into words what a container uses. The time of processors is that since it was
// looked at before.
func (f *statsFlags) row(m measured, before *engine.Usage, host uint64) usageRow {
	id := m.container.ID
	if !f.whole {
		id = id[:12]
	}
	u := m.usage
	if u == nil {
		const none = "--"
		return usageRow{
			id, id, m.container.Name, none, none + " / " + none, none, none, none, none,
		}
	}
	limit := min(u.Memory.Usage.Limit, host)
	if limit == 0 {
		limit = host
	}
	computed := 0.0
	if before != nil && u.CPU.Usage.Total >= before.CPU.Usage.Total {
		computed = float64(u.CPU.Usage.Total-before.CPU.Usage.Total) /
			float64(u.At.Sub(before.At).Nanoseconds())
	}
	read, written := u.Disk()
	return usageRow{
		Container: id, ID: id, Name: m.container.Name,
		CPUPerc:  fmt.Sprintf("%.2f%%", 100*computed),
		MemUsage: memoryText(u.InUse()) + " / " + memoryText(limit),
		MemPerc:  fmt.Sprintf("%.2f%%", 100*float64(u.InUse())/float64(limit)),
		NetIO:    bytesText(int64(u.Received)) + " / " + bytesText(int64(u.Sent)),
		BlockIO:  bytesText(int64(read)) + " / " + bytesText(int64(written)),
		PIDs:     fmt.Sprint(u.Pids.Current),
	}
}

// memoryText writes a number of bytes as docker does where it is about memory: four
// digits, binary units.
func memoryText(n uint64) string {
	value, unit := float64(n), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.4g%s", value, units[unit])
}

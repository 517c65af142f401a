//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"lab/internal/check"
	"lab/internal/need"
	"lab/internal/oom"
)

// oomOptions is the command line of `lab oom`.
type oomOptions struct {
	limit, step, noLimit string
	every                time.Duration
	swap, attach, json   bool
	plot                 string
}

// newOOM makes `lab oom`.
func newOOM() *cobra.Command {
	var o oomOptions
	cmd := &cobra.Command{
		Use:   "oom",
		Short: "Show a memory limit, and the kill at its end",
		Long: "Runs a small program that takes memory step by step in a cgroup with a limit,\n" +
			"until the kernel kills it, and then once more without one. What is told is the\n" +
			"kernel's own: usage and counters after each step, the event of the kill, its log.\n" +
			"With --attach the program starts outside and is put into the cgroup later: what\n" +
			"it took before stays charged to where it came from.",
		Example: "  lab oom\n  lab oom --limit 64M --step 4M --plot oom.svg\n" +
			"  systemd-run --user --scope -p Delegate=yes lab oom",
		GroupID: groupLook,
		Args:    arguments(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return showOOM(cmd, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.limit, "limit", "30M", "the cgroup's limit, a `SIZE`")
	flags.StringVar(&o.step, "step", "1M", "take a `SIZE` at a time")
	flags.DurationVar(&o.every, "every", 100*time.Millisecond, "a `TIME` between two steps")
	flags.StringVar(&o.noLimit, "no-limit", "",
		"take this `SIZE` without a limit; 0 leaves that out (1.5 times the limit)")
	flags.BoolVar(&o.swap, "swap", false, "allow as much swap as memory")
	flags.BoolVar(&o.attach, "attach", false, "start first, put the process into the cgroup later")
	flags.StringVar(&o.plot, "plot", "", "draw memory over time into a `FILE`, as SVG")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// parse turns the words of the command line into numbers.
func (o oomOptions) parse() (oom.Options, error) {
	options := oom.Options{Every: o.every, Swap: o.swap, Attach: o.attach}
	for _, size := range []struct {
		flag, text string
		number     *int64
	}{
		{"--limit", o.limit, &options.Limit},
		{"--step", o.step, &options.Step},
		{"--no-limit", o.noLimit, &options.NoLimit},
	} {
		if size.flag == "--no-limit" && size.text == "" {
			options.NoLimit = options.Limit / 2 * 3
			continue
		}
		number, err := oom.ParseSize(size.text)
		if err != nil {
			return options, fmt.Errorf("%s: %w", size.flag, err)
		}
		*size.number = number
	}
	if o.every < 0 {
		return options, fmt.Errorf("--every: %s is no time to wait", o.every)
	}
	return options, options.Check()
}

// showOOM runs the demonstration.
func showOOM(cmd *cobra.Command, o oomOptions) error {
	options, err := o.parse()
	if err != nil {
		return hinted{fmt.Errorf("%w: %w", errUsage, err), "lab oom --limit 30M --step 1M"}
	}
	if err := canDraw(o.plot); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	printer := newOOMPrinter(cmd.OutOrStdout(), options)
	if o.json {
		printer.Out = io.Discard
	}
	result, err := oom.Run(ctx, options, printer)
	if ctx.Err() != nil {
		fmt.Fprintln(printer.Out)
		if err != nil && err.Error() != ctx.Err().Error() {
			return err // it was interrupted, and something is left
		}
		return exited(130)
	}
	if errors.Is(err, oom.ErrNoCgroup) {
		return hinted{err, whereToLimit()}
	}
	if err != nil {
		return err
	}
	for _, warning := range result.Warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "lab: %s\n", warning)
	}
	if o.json {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	} else {
		printer.Finish(result)
	}
	if o.plot != "" {
		err = errors.Join(err, drawOOM(o.plot, result))
	}
	if err == nil && !result.AsTold {
		err = errors.New(result.Verdict)
	}
	return err
}

// whereToLimit is what helps where no cgroup can be made.
func whereToLimit() string {
	switch facts := need.Look(); {
	case facts.Root:
		return "lab doctor"
	case facts.Cgroups.Mode == "v2" && facts.Systemd:
		return "systemd-run --user --scope -p Delegate=yes " +
			strings.Join(check.ShellWords(os.Args), " ")
	}
	return asRoot()
}

// canDraw reports before a run that its picture could not be written after it. A
// file that is there keeps what it holds until then.
func canDraw(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		return errors.Join(file.Close(), os.Remove(path))
	}
	if errors.Is(err, fs.ErrExist) {
		file, err = os.OpenFile(path, os.O_WRONLY, 0)
	}
	if err != nil {
		return hinted{fmt.Errorf("write the picture: %w", err), "lab oom --plot /tmp/oom.svg"}
	}
	return file.Close()
}

// drawOOM writes the picture.
func drawOOM(path string, result oom.Result) error {
	var picture bytes.Buffer
	if err := oom.Plot(&picture, result); err != nil {
		return err
	}
	if err := os.WriteFile(path, picture.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

// newOOMPrinter makes what tells the demonstration, as the output can show it.
func newOOMPrinter(out io.Writer, options oom.Options) *oom.Printer {
	const usual = 80
	p := &oom.Printer{Out: out, Width: usual, ASCII: !utf8Locale(), Most: options.NoLimit}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.Live = true
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			p.Width = width
		}
	}
	colors := map[string]*color.Color{
		"bad": color.New(color.FgRed, color.Bold), "good": color.New(color.FgGreen),
		"dim": color.New(color.Faint),
	}
	p.Paint = func(name, text string) string { return colors[name].Sprint(text) }
	return p
}

// utf8Locale reports whether the terminal's locale has more than ASCII.
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToUpper(os.Getenv(name)); value != "" {
			return strings.Contains(value, "UTF-8") || strings.Contains(value, "UTF8")
		}
	}
	return false
}

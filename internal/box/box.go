//go:build linux

package box

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Run runs the applet that argv[0] names and returns its exit status. It returns
// ok false, having done nothing, when the base name of argv[0] is no applet.
func Run(argv []string) (status int, ok bool) {
	if len(argv) == 0 {
		return 0, false
	}
	// A login shell's argv[0] starts with a dash.
	name := strings.TrimPrefix(filepath.Base(argv[0]), "-")
	a, ok := table()[name]
	if !ok && isProbe(argv) {
		a, ok = table()["probe"], true
	}
	if !ok {
		return 0, false
	}

	// One P keeps the number of threads small, which pids limits count.
	runtime.GOMAXPROCS(1)
	if os.Getpid() == 1 {
		ignoreAsPID1()
	}

	c := &call{
		name: name, usage: a.usage, args: argv[1:], in: os.Stdin,
		out: bufio.NewWriter(os.Stdout), errOut: os.Stderr,
	}
	return c.finish(a.run(c)), true
}

// Applets returns the names of all applets, sorted.
func Applets() []string {
	names := make([]string, 0, 100)
	for name := range table() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ignoreAsPID1 gives PID 1 the kernel's rule back: no default actions. The signals
// are caught and dropped rather than ignored, because execve(2) keeps an ignored
// signal ignored and children would inherit it.
func ignoreAsPID1() {
	drop := make(chan os.Signal, 1)
	signal.Notify(drop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGPIPE)
	go func() {
		for range drop {
		}
	}()
}

// applet is one program of the table: what runs and how it is called.
type applet struct {
	run   func(*call) error
	usage string
}

// call is one run of an applet: its operands and streams.
type call struct {
	name   string
	usage  string
	args   []string // after parse: the operands alone
	in     io.Reader
	out    *bufio.Writer
	errOut io.Writer
	failed bool // some operand failed and was reported by warn
}

// status is the error of an applet that has nothing to say but its exit status.
type status int

// Error tells the status in words.
func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is wrong usage: exit status 2 and the usage line.
type usageError string

// Error returns what was wrong with the command line.
func (e usageError) Error() string { return string(e) }

// misused returns a usageError with the formatted text.
func misused(format string, args ...any) error {
	return usageError(fmt.Sprintf(format, args...))
}

// finish flushes the output, reports err and returns the exit status it means.
func (c *call) finish(err error) int {
	if ferr := c.out.Flush(); err == nil && ferr != nil && !errors.Is(ferr, syscall.EPIPE) {
		err = ferr
	}
	var s status
	var u usageError
	switch {
	case err == nil && c.failed:
		return 1
	case err == nil:
		return 0
	case errors.As(err, &s):
		return int(s)
	case errors.As(err, &u):
		tell(c.errOut, "%s: %v\nusage: %s %s\n", c.name, err, c.name, c.usage)
		return 2
	}
	tell(c.errOut, "%s: %v\n", c.name, err)
	return 1
}

// warn reports the failure of one operand; the applet goes on and exits with 1.
func (c *call) warn(err error) {
	if err == nil {
		return
	}
	_ = c.out.Flush() // Its error comes back from the last flush.
	tell(c.errOut, "%s: %v\n", c.name, err)
	c.failed = true
}

// tell writes a message. Where that fails there is nowhere else to tell it.
func tell(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// printf writes to the buffered standard output, whose error finish reports.
func (c *call) printf(format string, args ...any) {
	tell(c.out, format, args...)
}

// say writes a line at once, for programs that are read while they run.
func (c *call) say(format string, args ...any) error {
	c.printf(format+"\n", args...)
	return c.out.Flush()
}

// eachInput calls f with every operand opened, or with standard input when there
// are no operands or the operand is "-".
func (c *call) eachInput(f func(name string, r io.Reader) error) error {
	names := c.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		c.warn(c.withInput(name, f))
	}
	return nil
}

// withInput calls f with the named file opened.
func (c *call) withInput(name string, f func(name string, r io.Reader) error) error {
	if name == "-" {
		return f(name, c.in)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return f(name, file)
}

// eachLine calls f with every line of r, without its newline.
func eachLine(r io.Reader, f func(line string) error) error {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		if line != "" {
			if ferr := f(strings.TrimSuffix(line, "\n")); ferr != nil {
				return ferr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

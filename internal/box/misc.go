//go:build linux

package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shellBuiltin runs echo, printf, test, [ or pwd as the shell does.
func shellBuiltin(c *call) error {
	script := quoteAll(append([]string{c.name}, c.args...))
	file, err := syntax.NewParser().Parse(strings.NewReader(script), c.name)
	if err != nil {
		return err
	}
	r, err := interp.New(interp.StdIO(os.Stdin, c.out, c.errOut))
	if err != nil {
		return err
	}
	err = r.Run(context.Background(), file)
	var code interp.ExitStatus
	if errors.As(err, &code) {
		return status(code)
	}
	return err
}

// yes repeats a line until nobody reads it.
func yes(c *call) error {
	line := "y\n"
	if len(c.args) > 0 {
		line = strings.Join(c.args, " ") + "\n"
	}
	block := []byte(strings.Repeat(line, 1+4096/len(line)))
	for {
		if _, err := os.Stdout.Write(block); err != nil {
			return err
		}
	}
}

// seq prints numbers: LAST, FIRST LAST, or FIRST STEP LAST.
func seq(c *call) error {
	if err := c.wants(1, 3); err != nil {
		return err
	}
	first, step, last := 1, 1, 0
	slots := map[int][]*int{1: {&last}, 2: {&first, &last}, 3: {&first, &step, &last}}
	for i, slot := range slots[len(c.args)] {
		n, err := strconv.Atoi(c.args[i])
		if err != nil {
			return misused("%q is not a number", c.args[i])
		}
		*slot = n
	}
	if step == 0 {
		return misused("a step of 0 never ends")
	}
	for n := first; step > 0 && n <= last || step < 0 && n >= last; n += step {
		if _, err := fmt.Fprintln(c.out, n); err != nil {
			return err
		}
	}
	return nil
}

// date prints the time: as usual, or by a +FORMAT in the letters of strftime(3).
func date(c *call) error {
	o, err := c.parse("u")
	if err == nil {
		err = c.wants(0, 1)
	}
	if err != nil {
		return err
	}
	now := time.Now()
	if o.has("u") {
		now = now.UTC()
	}
	if len(c.args) == 0 {
		c.printf("%s\n", now.Format("Mon Jan _2 15:04:05 MST 2006"))
		return nil
	}
	format, ok := strings.CutPrefix(c.args[0], "+")
	if !ok {
		return misused("setting the clock is not for containers")
	}
	letters := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04",
		'S': "05", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'a': "Mon",
		'b': "Jan", 'e': "_2", 'y': "06", 'N': "000000000"}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			c.printf("%c", format[i])
			continue
		}
		i++
		layout, known := letters[format[i]]
		switch {
		case format[i] == 's':
			c.printf("%d", now.Unix())
		case format[i] == 'N':
			c.printf("%09d", now.Nanosecond())
		case format[i] == '%':
			c.printf("%%")
		case known:
			c.printf("%s", now.Format(layout))
		default:
			return misused("unknown format %%%c", format[i])
		}
	}
	c.printf("\n")
	return nil
}

// sleep waits for seconds, which may be a fraction or infinity.
func sleep(c *call) error {
	if _, err := c.parse(""); err != nil {
		return err
	}
	if err := c.wants(1, 1); err != nil {
		return err
	}
	text, unit := strings.TrimSuffix(c.args[0], "s"), 1.0
	if minutes, ok := strings.CutSuffix(text, "m"); ok {
		text, unit = minutes, 60
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 0 || math.IsNaN(seconds) {
		return misused("%q is no number of seconds", c.args[0])
	}
	// More than a century is as good as for ever.
	time.Sleep(time.Duration(min(seconds*unit, 3.2e9) * float64(time.Second)))
	return nil
}

// env runs a command in a changed environment, or prints the environment.
func env(c *call) error {
	o, err := c.parse("+iu:")
	if err != nil {
		return err
	}
	if o.has("i") {
		os.Clearenv()
	}
	for _, name := range o["u"] {
		os.Unsetenv(name)
	}
	for len(c.args) > 0 && strings.Contains(c.args[0], "=") {
		name, value, _ := strings.Cut(c.args[0], "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		c.args = c.args[1:]
	}
	if len(c.args) == 0 {
		for _, variable := range os.Environ() {
			c.printf("%s\n", variable)
		}
		return nil
	}
	return become(c.args)
}

// become executes a command in place of this process: 127 when there is none, 126
// when it cannot be executed.
func become(args []string) error {
	path, err := which1(args[0])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return status(127)
	}
	err = syscall.Exec(path, args, os.Environ())
	fmt.Fprintf(os.Stderr, "execve %s: %v\n", path, err)
	return status(126)
}

// which1 finds a command in PATH.
func which1(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, ok := os.LookupEnv("PATH")
	if !ok {
		path = defaultPath
	}
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, name); executable(file) == nil {
			return file, nil
		}
	}
	return "", errors.New("not found")
}

// which prints where commands are; exit status 1 when one is not found.
func which(c *call) error {
	if _, err := c.parse("a"); err != nil {
		return err
	}
	for _, name := range c.args {
		path, err := which1(name)
		if err == nil {
			err = executable(path)
		}
		if err != nil {
			c.failed = true
			continue
		}
		c.printf("%s\n", path)
	}
	return nil
}

// printenv prints the environment, or the values of the named variables.
func printenv(c *call) error {
	if len(c.args) == 0 {
		for _, variable := range os.Environ() {
			c.printf("%s\n", variable)
		}
	}
	for _, name := range c.args {
		value, ok := os.LookupEnv(name)
		if !ok {
			c.failed = true
			continue
		}
		c.printf("%s\n", value)
	}
	return nil
}

// truth is the applet true.
func truth(*call) error { return nil }

// untruth is the applet false.
func untruth(*call) error { return status(1) }

// clearScreen moves the cursor home and clears a VT100 terminal.
func clearScreen(c *call) error {
	c.printf("\x1b[H\x1b[2J")
	return nil
}

// basename prints the last part of a path, less a suffix.
func basename(c *call) error {
	if err := c.wants(1, 2); err != nil {
		return err
	}
	name := filepath.Base(c.args[0])
	if len(c.args) == 2 && name != c.args[1] {
		name = strings.TrimSuffix(name, c.args[1])
	}
	c.printf("%s\n", name)
	return nil
}

// dirname prints paths without their last part.
func dirname(c *call) error {
	return c.eachPath(func(path string) error {
		trimmed := strings.TrimRight(path, "/")
		if trimmed == "" && path != "" {
			trimmed = "/"
		}
		c.printf("%s\n", filepath.Dir(trimmed))
		return nil
	})
}

// chroot runs a command with another root directory, by default sh.
func chroot(c *call) error {
	if _, err := c.parse("+"); err != nil {
		return err
	}
	if err := c.wants(1, -1); err != nil {
		return err
	}
	if err := unix.Chroot(c.args[0]); err != nil {
		return pathError("chroot", c.args[0], err)
	}
	if err := unix.Chdir("/"); err != nil {
		return pathError("chdir", "/", err)
	}
	args := c.args[1:]
	if len(args) == 0 {
		args = []string{"sh"}
	}
	return become(args)
}

// dd copies blocks: if= of= bs= count= skip= seek=.
func dd(c *call) error {
	text := map[string]string{"bs": "512", "count": "", "skip": "0", "seek": "0"}
	files := map[string]string{"if": "", "of": ""}
	for _, arg := range c.args {
		name, value, ok := strings.Cut(arg, "=")
		_, number := text[name]
		_, file := files[name]
		switch {
		case ok && number:
			text[name] = value
		case ok && file:
			files[name] = value
		case arg == "status=none" || arg == "conv=fsync":
		default:
			return misused("unknown operand %q", arg)
		}
	}
	n := map[string]int64{"count": -1}
	for name, value := range text {
		if value == "" {
			continue
		}
		size, err := parseSize(value)
		if err != nil {
			return misused("%s: %v", name, err)
		}
		n[name] = size
	}
	if n["bs"] == 0 || n["bs"] > 1<<30 {
		return misused("bs: a block is 1 byte to 1 GiB")
	}
	return c.copyBlocks(files["if"], files["of"], n)
}

// copyBlocks does the work of dd and tells the records on standard error.
func (c *call) copyBlocks(from, to string, n map[string]int64) error {
	in, out := os.Stdin, os.Stdout
	var err error
	if from != "" {
		if in, err = os.Open(from); err != nil {
			return err
		}
		defer in.Close()
	}
	if to != "" {
		flags := os.O_CREATE | os.O_WRONLY
		if n["seek"] == 0 {
			flags |= os.O_TRUNC
		}
		if out, err = os.OpenFile(to, flags, 0o666); err != nil {
			return err
		}
		defer out.Close()
		if _, err := out.Seek(n["seek"]*n["bs"], io.SeekStart); err != nil && n["seek"] > 0 {
			return err
		}
	}
	if _, err := io.CopyN(io.Discard, in, n["skip"]*n["bs"]); err != nil && err != io.EOF {
		return err
	}
	full, part, written := 0, 0, int64(0)
	block := make([]byte, n["bs"])
	for n["count"] < 0 || int64(full+part) < n["count"] {
		size, rerr := in.Read(block)
		if size > 0 {
			w, werr := out.Write(block[:size])
			written += int64(w)
			if werr != nil {
				err = werr
				break
			}
			if size == len(block) {
				full++
			} else {
				part++
			}
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			err = rerr
			break
		}
	}
	fmt.Fprintf(c.errOut, "%d+%d records copied, %d bytes\n", full, part, written)
	return err
}

// parseSize parses a number of bytes with an optional suffix K, M or G (powers of 1024).
func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(strings.ToUpper(text), "IB")
	shift := 0
	for suffix, bits := range map[string]int{"K": 10, "M": 20, "G": 30} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, shift = rest, bits
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is no size such as 512, 50M or 1G", text)
	}
	return n << shift, nil
}

// hog takes memory and touches every page of it, in steps. With --hold it keeps it
// until standard input ends.
func hog(c *call) error {
	o, err := c.parse("v", "step:", "every:", "hold")
	if err == nil {
		err = c.wants(1, 1)
	}
	if err != nil {
		return err
	}
	total, err := parseSize(c.args[0])
	if err != nil {
		return misused("%v", err)
	}
	step, err := parseSize(o.get("step", "1M"))
	if err != nil || step == 0 {
		return misused("option --step wants a size")
	}
	every, err := time.ParseDuration(o.get("every", "0s"))
	if err != nil {
		return misused("option --every wants a time such as 10ms")
	}
	for held := int64(0); held < total; {
		size := min(step, total-held)
		if err := touchPages(size); err != nil {
			return fmt.Errorf("map %d bytes after %s: %w", size, mib(held), err)
		}
		held += size
		if o.has("v") {
			if err := c.say("%s", mib(held)); err != nil {
				return err
			}
		}
		time.Sleep(every)
	}
	if err := c.say("hog: %s held", c.args[0]); err != nil {
		return err
	}
	if o.has("hold") {
		untilEOF(c.in)
	}
	return nil
}

// touchPages maps anonymous memory and writes to every page, so that it is charged.
func touchPages(size int64) error {
	memory, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return nil
}

// mib returns a number of bytes in MiB, or in KiB where that is not whole.
func mib(n int64) string {
	if n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + "M"
	}
	return strconv.FormatInt(n>>10, 10) + "K"
}

// untilEOF reads standard input to its end.
func untilEOF(in io.Reader) {
	_, _ = io.Copy(io.Discard, in) // An input that fails has ended, too.
}

//go:build linux

package box

import (
	"context"
	"errors"
	"fmt"
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
	if code, ok := errors.AsType[interp.ExitStatus](err); ok {
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
	letters := map[byte]string{
		'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04",
		'S': "05", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'a': "Mon",
		'b': "Jan", 'e': "_2", 'y': "06", 'N': "000000000",
	}
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
		if err := os.Unsetenv(name); err != nil {
			return err
		}
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
		tell(os.Stderr, "%s: %v\n", args[0], err)
		return status(127)
	}
	err = syscall.Exec(path, args, os.Environ())
	tell(os.Stderr, "execve %s: %v\n", path, err)
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

//go:build linux

package box

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cat copies its input to its output.
func cat(c *call) error {
	if _, err := c.parse("u"); err != nil {
		return err
	}
	return c.eachInput(func(_ string, r io.Reader) error {
		// Unbuffered: what comes is seen at once.
		_, err := io.Copy(os.Stdout, r)
		return err
	})
}

// tee copies its input to its output and to files.
func tee(c *call) error {
	o, err := c.parse("a")
	if err != nil {
		return err
	}
	mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if o.has("a") {
		mode = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	to := []io.Writer{os.Stdout}
	for _, name := range c.args {
		file, err := os.OpenFile(name, mode, 0o666)
		if err != nil {
			c.warn(err)
			continue
		}
		defer file.Close()
		to = append(to, file)
	}
	_, err = io.Copy(io.MultiWriter(to...), c.in)
	return err
}

// lineCount takes the count of head and tail: -n 5, -5, or -c for bytes.
func (c *call) lineCount() (n int, inBytes bool, o options, err error) {
	for i, arg := range c.args {
		if _, nerr := strconv.ParseUint(strings.TrimPrefix(arg, "-"), 10, 31); nerr == nil &&
			arg[0] == '-' {
			c.args[i] = "-n" + arg[1:]
			break
		}
	}
	if o, err = c.parse("n:c:q"); err != nil {
		return 0, false, nil, err
	}
	if o.has("c") {
		n, err = o.number("c", 0)
		return n, true, o, err
	}
	n, err = o.number("n", 10)
	return n, false, o, err
}

// eachTitled calls f with every input, under its name where there are several.
func (c *call) eachTitled(o options, f func(r io.Reader) error) error {
	several := len(c.args) > 1
	first := true
	return c.eachInput(func(name string, r io.Reader) error {
		if several && !o.has("q") {
			if !first {
				c.printf("\n")
			}
			first = false
			c.printf("==> %s <==\n", name)
		}
		return f(r)
	})
}

// head prints the first lines or bytes.
func head(c *call) error {
	n, inBytes, o, err := c.lineCount()
	if err != nil {
		return err
	}
	return c.eachTitled(o, func(r io.Reader) error {
		if inBytes {
			_, err := io.CopyN(c.out, r, int64(n))
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		br := bufio.NewReader(r)
		for range n {
			line, err := br.ReadString('\n')
			c.printf("%s", line)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// tail prints the last lines or bytes.
func tail(c *call) error {
	n, inBytes, o, err := c.lineCount()
	if err != nil {
		return err
	}
	return c.eachTitled(o, func(r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		start := max(0, len(text)-n)
		if !inBytes {
			start = lastLines(text, n)
		}
		_, err = c.out.Write(text[start:])
		return err
	})
}

// lastLines returns where the last n lines of text begin.
func lastLines(text []byte, n int) int {
	at := len(bytes.TrimSuffix(text, []byte("\n")))
	if n == 0 {
		return len(text)
	}
	for range n {
		if at = bytes.LastIndexByte(text[:at], '\n'); at < 0 {
			return 0
		}
	}
	return at + 1
}

// wc counts lines, words and bytes.
func wc(c *call) error {
	o, err := c.parse("lwcm")
	if err != nil {
		return err
	}
	if len(o) == 0 {
		o = options{"l": nil, "w": nil, "c": nil}
	}
	var total [4]int
	err = c.eachInput(func(name string, r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		count := [4]int{
			bytes.Count(text, []byte("\n")), len(bytes.Fields(text)),
			utf8.RuneCount(text), len(text),
		}
		for i, n := range count {
			total[i] += n
		}
		c.printCounts(o, count, name)
		return nil
	})
	if len(c.args) > 1 {
		c.printCounts(o, total, "total")
	}
	return err
}

// printCounts prints one line of wc.
func (c *call) printCounts(o options, count [4]int, name string) {
	var shown []string
	for i, option := range []string{"l", "w", "m", "c"} {
		if o.has(option) {
			shown = append(shown, strconv.Itoa(count[i]))
		}
	}
	if name != "-" {
		shown = append(shown, name)
	}
	c.printf("%s\n", strings.Join(shown, " "))
}

// sha256sum prints the SHA-256 of its inputs.
func sha256sum(c *call) error {
	if _, err := c.parse(""); err != nil {
		return err
	}
	return c.eachInput(func(name string, r io.Reader) error {
		sum := sha256.New()
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
		c.printf("%x  %s\n", sum.Sum(nil), name)
		return nil
	})
}

//go:build linux

package box

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

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
		defer func() { _ = out.Close() }() // Every write was looked at.
		if _, err := out.Seek(n["seek"]*n["bs"], io.SeekStart); err != nil && n["seek"] > 0 {
			return err
		}
	}
	_, err = io.CopyN(io.Discard, in, n["skip"]*n["bs"])
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r := records{block: make([]byte, n["bs"])}
	err = r.copy(in, out, n["count"])
	tell(c.errOut, "%d+%d records copied, %d bytes\n", r.full, r.part, r.bytes)
	return err
}

// records counts what dd has copied: full blocks, shorter ones, and bytes.
type records struct {
	block      []byte
	full, part int64
	bytes      int64
}

// copy copies up to count blocks, or all when count is below 0. A block is what one
// read(2) returns.
func (r *records) copy(in io.Reader, out io.Writer, count int64) error {
	for count < 0 || r.full+r.part < count {
		size, err := in.Read(r.block)
		if size == len(r.block) {
			r.full++
		} else if size > 0 {
			r.part++
		}
		written, werr := out.Write(r.block[:size])
		r.bytes += int64(written)
		if werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	if err := c.take(total, step, every, o.has("v")); err != nil {
		return err
	}
	if err := c.say("hog: %s held", c.args[0]); err != nil {
		return err
	}
	if o.has("hold") {
		untilEOF(c.in)
	}
	return nil
}

// take takes memory in steps with a pause after each.
func (c *call) take(total, step int64, every time.Duration, verbose bool) error {
	for held := int64(0); held < total; {
		size := min(step, total-held)
		if err := touchPages(size); err != nil {
			return fmt.Errorf("map %d bytes after %s: %w", size, mib(held), err)
		}
		held += size
		if verbose {
			if err := c.say("%s", mib(held)); err != nil {
				return err
			}
		}
		time.Sleep(every)
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

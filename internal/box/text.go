//go:build linux

package box

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
			if err == io.EOF {
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
		count := [4]int{bytes.Count(text, []byte("\n")), len(bytes.Fields(text)),
			utf8.RuneCount(text), len(text)}
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

// grep prints the lines that match; exit status 1 when none did, 2 after an error.
func grep(c *call) error {
	o, err := c.parse("qivcEFnrhHolsw")
	if err == nil {
		err = c.wants(1, -1)
	}
	if err != nil {
		return err
	}
	pattern, err := grepPattern(o, c.args[0])
	if err != nil {
		return err
	}
	c.args = c.args[1:]
	if o.has("r") {
		if c.args, err = filesBelow(c.args); err != nil {
			return err
		}
	}
	titled := (len(c.args) > 1 || o.has("r", "H")) && !o.has("h")
	found := false
	err = c.eachInput(func(name string, r io.Reader) error {
		n, err := c.grepOne(o, pattern, r, map[bool]string{true: name + ":"}[titled])
		if n > 0 && o.has("l") {
			c.printf("%s\n", name)
		}
		found = found || n > 0
		return err
	})
	switch {
	case err != nil || c.failed:
		return status(2)
	case !found:
		return status(1)
	}
	return nil
}

// grepPattern compiles the pattern: a basic regular expression, with -E an extended
// one, with -F plain text.
func grepPattern(o options, text string) (*regexp.Regexp, error) {
	switch {
	case o.has("F"):
		text = regexp.QuoteMeta(text)
	case !o.has("E"):
		text = basicToExtended(text)
	}
	if o.has("w") {
		text = `\b(?:` + text + `)\b`
	}
	if o.has("i") {
		text = "(?i)" + text
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return nil, misused("pattern: %v", err)
	}
	return pattern, nil
}

// basicToExtended rewrites a basic regular expression, where \( \) \{ \} \+ \? \| are
// the operators and the bare characters are text.
func basicToExtended(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '\\' && i+1 < len(text):
			i++
			if !strings.ContainsRune("(){}+?|", rune(text[i])) {
				out.WriteByte('\\')
			}
			out.WriteByte(text[i])
		case strings.IndexByte("(){}+?|", ch) >= 0, ch == '*' && i == 0:
			out.WriteByte('\\')
			out.WriteByte(ch)
		case ch == '[':
			end := bracketEnd(text, i)
			out.WriteString(text[i:end])
			i = end - 1
		default:
			out.WriteByte(ch)
		}
	}
	return out.String()
}

// bracketEnd returns the index after the bracket expression that begins at start.
func bracketEnd(text string, start int) int {
	i := start + 1
	if i < len(text) && text[i] == '^' {
		i++
	}
	if i < len(text) && text[i] == ']' {
		i++
	}
	for i < len(text) && text[i] != ']' {
		if text[i] == '[' && i+1 < len(text) && text[i+1] == ':' {
			if n := strings.Index(text[i:], ":]"); n > 0 {
				i += n + 1
			}
		}
		i++
	}
	return min(i+1, len(text))
}

// grepOne prints the matching lines of one input and returns their number.
func (c *call) grepOne(o options, pattern *regexp.Regexp, r io.Reader, title string) (int, error) {
	count, number := 0, 0
	err := eachLine(r, func(line string) error {
		number++
		if pattern.MatchString(line) == o.has("v") {
			return nil
		}
		count++
		if o.has("q", "c", "l") {
			return nil
		}
		at := title
		if o.has("n") {
			at += strconv.Itoa(number) + ":"
		}
		matches := []string{line}
		if o.has("o") {
			matches = pattern.FindAllString(line, -1)
		}
		for _, m := range matches {
			c.printf("%s%s\n", at, m)
		}
		return nil
	})
	if o.has("c") && !o.has("q") {
		c.printf("%s%d\n", title, count)
	}
	return count, err
}

// filesBelow returns all regular files below the roots.
func filesBelow(roots []string) ([]string, error) {
	if len(roots) == 0 {
		roots = []string{"."}
	}
	var files []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// sortLines sorts the lines of all inputs.
func sortLines(c *call) error {
	o, err := c.parse("nruk:t:")
	if err != nil {
		return err
	}
	var lines []string
	err = c.eachInput(func(_ string, r io.Reader) error {
		return eachLine(r, func(line string) error {
			lines = append(lines, line)
			return nil
		})
	})
	if err != nil {
		return err
	}
	field, err := o.number("k", 0)
	if err != nil {
		return err
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		return compareLines(o, field, a, b)
	})
	if o.has("u") {
		lines = slices.CompactFunc(lines, func(a, b string) bool {
			return compareLines(o, field, a, b) == 0
		})
	}
	for _, line := range lines {
		c.printf("%s\n", line)
	}
	return nil
}

// compareLines compares two lines by the options of sort.
func compareLines(o options, field int, a, b string) int {
	x, y := sortKey(o, field, a), sortKey(o, field, b)
	order := 0
	if o.has("n") {
		order = cmp.Compare(leadingNumber(x), leadingNumber(y))
	} else {
		order = strings.Compare(x, y)
	}
	if order == 0 && !o.has("u") {
		order = strings.Compare(a, b)
	}
	if o.has("r") {
		order = -order
	}
	return order
}

// sortKey returns the part of the line from field -k on.
func sortKey(o options, field int, line string) string {
	if field == 0 {
		return line
	}
	fields := strings.Fields(line)
	separator := " "
	if o.has("t") {
		separator = o.get("t", "")
		fields = strings.Split(line, separator)
	}
	return strings.Join(fields[min(field-1, len(fields)):], separator)
}

// leadingNumber returns the number that text begins with, or 0.
func leadingNumber(text string) float64 {
	text = strings.TrimSpace(text)
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.' ||
		text[end] == '-' && end == 0) {
		end++
	}
	n, err := strconv.ParseFloat(text[:end], 64)
	if err != nil {
		return 0
	}
	return n
}

// uniq joins equal neighbours, with -c counted, with -d only those that repeat.
func uniq(c *call) error {
	o, err := c.parse("cdu")
	if err != nil {
		return err
	}
	count, previous := 0, ""
	flush := func() {
		if count == 0 || o.has("d") && count == 1 || o.has("u") && count > 1 {
			return
		}
		if o.has("c") {
			c.printf("%7d ", count)
		}
		c.printf("%s\n", previous)
	}
	err = c.eachInput(func(_ string, r io.Reader) error {
		return eachLine(r, func(line string) error {
			if count > 0 && line == previous {
				count++
				return nil
			}
			flush()
			count, previous = 1, line
			return nil
		})
	})
	flush()
	return err
}

// cut prints fields (-f, separated by -d) or characters (-c) of every line.
func cut(c *call) error {
	o, err := c.parse("d:f:c:s")
	if err != nil {
		return err
	}
	list := o.get("f", o.get("c", ""))
	chosen, err := parseRanges(list)
	if err != nil {
		return err
	}
	separator := o.get("d", "\t")
	return c.eachInput(func(_ string, r io.Reader) error {
		return eachLine(r, func(line string) error {
			if o.has("c") {
				separator = ""
			} else if !strings.Contains(line, separator) {
				if !o.has("s") {
					c.printf("%s\n", line)
				}
				return nil
			}
			var kept []string
			for i, part := range strings.Split(line, separator) {
				if chosen(i + 1) {
					kept = append(kept, part)
				}
			}
			c.printf("%s\n", strings.Join(kept, separator))
			return nil
		})
	})
}

// parseRanges parses a list such as 1,3-5,7- and returns whether a number is in it.
func parseRanges(list string) (func(int) bool, error) {
	type span struct{ low, high int }
	var spans []span
	for item := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(item, "-")
		s := span{1, int(^uint(0) >> 1)}
		var lerr, herr error
		if low != "" || !isRange {
			s.low, lerr = strconv.Atoi(low)
		}
		if high != "" {
			s.high, herr = strconv.Atoi(high)
		}
		if !isRange {
			s.high = s.low
		}
		if lerr != nil || herr != nil || s.low < 1 {
			return nil, misused("want a list such as 1,3-5, not %q", list)
		}
		spans = append(spans, s)
	}
	return func(n int) bool {
		return slices.ContainsFunc(spans, func(s span) bool { return n >= s.low && n <= s.high })
	}, nil
}

// tr replaces the characters of one set by those of another, or with -d removes them.
func tr(c *call) error {
	o, err := c.parse("ds")
	if err != nil {
		return err
	}
	want := 2
	if o.has("d") || o.has("s") && len(c.args) == 1 {
		want = 1
	}
	if err := c.wants(want, want); err != nil {
		return err
	}
	from := expandSet(c.args[0])
	to := from
	if want == 2 {
		to = expandSet(c.args[1])
	}
	if len(to) == 0 {
		return misused("the second set is empty")
	}
	text, err := io.ReadAll(c.in)
	if err != nil {
		return err
	}
	var last rune = -1
	for _, ch := range string(text) {
		i := slices.Index(from, ch)
		if i >= 0 && o.has("d") {
			continue
		}
		if i >= 0 {
			ch = to[min(i, len(to)-1)]
			if o.has("s") && ch == last {
				continue
			}
		}
		last = ch
		c.out.WriteRune(ch)
	}
	return nil
}

// expandSet expands a set of tr: ranges a-z, classes [:upper:], escapes \n \t \\.
func expandSet(set string) []rune {
	classes := map[string]string{"[:lower:]": "a-z", "[:upper:]": "A-Z", "[:digit:]": "0-9",
		"[:alpha:]": "A-Za-z", "[:alnum:]": "0-9A-Za-z", "[:space:]": "\t\n\v\f\r "}
	for class, members := range classes {
		set = strings.ReplaceAll(set, class, members)
	}
	set = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\0`, "\x00", `\\`, `\`).Replace(set)
	var members []rune
	runes := []rune(set)
	for i := 0; i < len(runes); i++ {
		if i+2 < len(runes) && runes[i+1] == '-' && runes[i] <= runes[i+2] {
			for ch := runes[i]; ch <= runes[i+2]; ch++ {
				members = append(members, ch)
			}
			i += 2
			continue
		}
		members = append(members, runes[i])
	}
	return members
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
		fmt.Fprintf(c.out, "%x  %s\n", sum.Sum(nil), name)
		return nil
	})
}

//go:build linux

package box

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
)

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
	if o.has("c") {
		separator = ""
	}
	return c.eachInput(func(_ string, r io.Reader) error {
		return eachLine(r, func(line string) error {
			switch {
			case strings.Contains(line, separator):
				c.printf("%s\n", chosenParts(line, separator, chosen))
			case !o.has("s"):
				c.printf("%s\n", line) // A line without fields is kept whole.
			}
			return nil
		})
	})
}

// chosenParts returns the parts of a line whose numbers are chosen; an empty separator
// makes every character a part.
func chosenParts(line, separator string, chosen func(int) bool) string {
	var kept []string
	for i, part := range strings.Split(line, separator) {
		if chosen(i + 1) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, separator)
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
	c.translate(string(text), from, to, o)
	return nil
}

// translate prints text with the characters of one set replaced, removed (-d) or, where
// they repeat, squeezed to one (-s).
func (c *call) translate(text string, from, to []rune, o options) {
	last := rune(-1)
	for _, ch := range text {
		if i := slices.Index(from, ch); i >= 0 {
			ch = to[min(i, len(to)-1)]
			if o.has("d") || o.has("s") && ch == last {
				continue
			}
		}
		last = ch
		c.printf("%c", ch)
	}
}

// expandSet expands a set of tr: ranges a-z, classes [:upper:], escapes \n \t \\.
func expandSet(set string) []rune {
	classes := map[string]string{
		"[:lower:]": "a-z", "[:upper:]": "A-Z", "[:digit:]": "0-9",
		"[:alpha:]": "A-Za-z", "[:alnum:]": "0-9A-Za-z", "[:space:]": "\t\n\v\f\r ",
	}
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

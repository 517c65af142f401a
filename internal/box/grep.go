//go:build linux

package box

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

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

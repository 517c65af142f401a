package lesson

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// dots stands for anything in expected output.
const dots = "…"

// inode is how /proc writes a namespace: uts:[4026531838]. The number is another
// one on each machine and in each run.
var inode = regexp.MustCompile(`:\[([0-9]+)\]`)

// Match reports whether lines that were printed are the expected ones. Blanks at
// the end of a line do not count: they cannot be seen in a lesson. The inode
// number of a namespace may be another one, but two that are equal in the lesson
// must be equal in what was printed, and two that differ must differ.
func Match(want, got []string) bool { return match(want, got, nil) }

// pair is the inode number of a namespace in the lesson and in what was printed.
type pair struct{ want, got string }

// match is Match for lines that come after others, with the pairs found there.
func match(want, got []string, known []pair) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] != dots {
		if len(got) == 0 {
			return false
		}
		all, ok := matchLine(want[0], got[0], known)
		return ok && match(want[1:], got[1:], all)
	}
	for skipped := 0; skipped <= len(got); skipped++ {
		if match(want[1:], got[skipped:], known) {
			return true
		}
	}
	return false
}

// matchLine matches one line and returns the known pairs with those of this line.
func matchLine(want, got string, known []pair) ([]pair, bool) {
	found := pattern(want).FindStringSubmatch(strings.TrimRight(got, " \t"))
	if found == nil {
		return nil, false
	}
	all := slices.Clone(known)
	for i, number := range inode.FindAllStringSubmatch(want, -1) {
		p := pair{number[1], found[i+1]}
		for _, other := range all {
			if (p.want == other.want) != (p.got == other.got) {
				return nil, false
			}
		}
		all = append(all, p)
	}
	return all, true
}

// pattern makes an expression of an expected line, with a group for each inode.
func pattern(want string) *regexp.Regexp {
	expression := regexp.QuoteMeta(strings.TrimRight(want, " \t"))
	expression = strings.ReplaceAll(expression, dots, ".*")
	quoted := regexp.MustCompile(`:\\\[[0-9]+\\\]`)
	expression = quoted.ReplaceAllLiteralString(expression, `:\[([0-9]+)\]`)
	return regexp.MustCompile("^" + expression + "$")
}

// Diff shows expected lines beside those that were printed: `-` marks what was
// expected, `+` what came instead.
func Diff(want, got []string) string {
	begin := same(want, got)
	end := 0
	if begin < min(len(want), len(got)) {
		end = same(reversed(want[begin:]), reversed(got[begin:]))
	}
	var b strings.Builder
	print := func(mark string, lines []string) {
		for _, line := range lines {
			fmt.Fprintf(&b, "%s %s\n", mark, line)
		}
	}
	print(" ", got[:begin])
	print("-", want[begin:len(want)-end])
	print("+", got[begin:len(got)-end])
	print(" ", got[len(got)-end:])
	return b.String()
}

// same returns how many lines match at the beginning.
func same(want, got []string) int {
	n := 0
	for n < min(len(want), len(got)) && want[n] != dots && match(want[:n+1], got[:n+1], nil) {
		n++
	}
	return n
}

// reversed returns the lines in reverse order.
func reversed(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Reverse(lines)
	return lines
}

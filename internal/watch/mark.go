package watch

import (
	"slices"
	"strings"
)

// The marks.
const (
	same    = "  "
	added   = "+ "
	gone    = "- "
	another = "~ "
)

// change is one line of a comparison.
type change struct{ mark, line string }

// mark returns all lines of now, each with its mark, and the lines of before
// that are gone where they were.
func mark(before, now []string) (lines []string, changed bool) {
	for _, c := range paired(compare(before, now)) {
		lines = append(lines, strings.TrimRight(c.mark+c.line, " "))
		changed = changed || c.mark != same
	}
	return lines, changed
}

// compare keeps a longest common subsequence of two lists of lines: all others
// are gone or added.
func compare(before, now []string) []change {
	// common[i][j] is the length of the longest one of before[i:] and now[j:].
	common := make([][]int, len(before)+1)
	for i := range common {
		common[i] = make([]int, len(now)+1)
	}
	for i, b := range slices.Backward(before) {
		for j, n := range slices.Backward(now) {
			if alike(b, n) {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var changes []change
	i, j := 0, 0
	for i < len(before) || j < len(now) {
		switch {
		case i < len(before) && j < len(now) && alike(before[i], now[j]):
			changes = append(changes, change{same, now[j]})
			i, j = i+1, j+1
		case j == len(now) || i < len(before) && common[i+1][j] >= common[i][j+1]:
			changes = append(changes, change{gone, before[i]})
			i++
		default:
			changes = append(changes, change{added, now[j]})
			j++
		}
	}
	return changes
}

// alike compares two lines without the width of their columns: that changes with
// other lines.
func alike(a, b string) bool {
	return a == b || slices.Equal(strings.Fields(a), strings.Fields(b))
}

// paired joins lines that are gone and added at the same place and begin alike
// into one that changed.
func paired(changes []change) []change {
	var result []change
	for len(changes) > 0 {
		if changes[0].mark == same {
			result = append(result, changes[0])
			changes = changes[1:]
			continue
		}
		end := slices.IndexFunc(changes, func(c change) bool { return c.mark == same })
		if end < 0 {
			end = len(changes)
		}
		result = append(result, pair(changes[:end])...)
		changes = changes[end:]
	}
	return result
}

// pair does so for one run of changes.
func pair(changes []change) []change {
	old := map[string]int{} // how many lines are gone that begin so
	for _, c := range changes {
		if c.mark == gone {
			old[begin(c.line)]++
		}
	}
	replaced := map[string]int{}
	var present []change
	for _, c := range changes {
		if c.mark == added && old[begin(c.line)] > 0 {
			old[begin(c.line)]--
			replaced[begin(c.line)]++
			c.mark = another
		}
		if c.mark != gone {
			present = append(present, c)
		}
	}
	var result []change
	for _, c := range changes {
		if c.mark != gone {
			continue
		}
		if replaced[begin(c.line)] > 0 {
			replaced[begin(c.line)]--
			continue
		}
		result = append(result, c)
	}
	return append(result, present...)
}

// begin returns what two states of one line have in common: their first word.
func begin(line string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return word
}

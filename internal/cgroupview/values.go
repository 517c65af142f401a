//go:build linux

package cgroupview

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is how a file's text is put for people.
type kind int

// The kinds.
const (
	plain   kind = iota // as it is; of several lines the first and how many
	bytes               // 31457280
	micros              // microseconds
	nanos               // nanoseconds
	members             // one pid a line
	keyed               // lines "key value"
	waiting             // the share of time in which some tasks waited
)

// entry is what is known of a file.
type entry struct {
	name   string // may have one star
	kind   kind
	phrase string
	// usual is a text with which the file is not worth a line: it is in the JSON
	// document alone. A star is any text.
	usual string
	// mean says what this value means, in the light of the cgroup's other values;
	// "" if nothing.
	mean func(text string, all map[string]string) string
}

// format puts a text for people.
func (k kind) format(text string) string {
	switch k {
	case bytes:
		return Bytes(text)
	case micros, nanos:
		unit := time.Microsecond
		if k == nanos {
			unit = time.Nanosecond
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
			return (time.Duration(n) * unit).Round(100 * time.Microsecond).String()
		}
	case members:
		return strconv.Itoa(len(strings.Fields(text)))
	case keyed:
		return ""
	case waiting:
		return pressure(text)
	case plain:
	}
	return first(text)
}

// pressure takes the share of the last ten seconds from a text of which this is
// the first line; see Documentation/accounting/psi.rst:
//
//	some avg10=1.53 avg60=0.70 avg300=0.20 total=12345
func pressure(text string) string {
	_, rest, found := strings.Cut(text, "avg10=")
	percent, _, _ := strings.Cut(rest, " ")
	if !found {
		return first(text)
	}
	return percent + " %"
}

// first returns the first line and how many more there are.
func first(text string) string {
	line, rest, more := strings.Cut(text, "\n")
	switch {
	case text == "":
		return "(empty)"
	case more:
		return fmt.Sprintf("%s (+%d)", line, strings.Count(rest, "\n")+1)
	}
	return line
}

// unlimited is the least number that version 1 means as no limit: the largest
// one that a counter of pages holds, in bytes, whatever the size of a page.
const unlimited = 1 << 62

// Number returns a limit or a count; ok is false for no limit and for what is no
// number.
func Number(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0 && n < unlimited
}

// Bytes puts a number of bytes for people; a limit that is none is called so.
func Bytes(text string) string {
	n, ok := Number(text)
	if !ok {
		if _, err := strconv.ParseInt(text, 10, 64); err == nil || text == "max" {
			return "no limit"
		}
		return first(text)
	}
	return Size(n)
}

// Size puts a number of bytes into the largest unit that fits.
func Size(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + units[unit]
}

// share says how much of a limit is used.
func share(limit string) func(string, map[string]string) string {
	return func(text string, all map[string]string) string {
		used, ok := Number(text)
		most, limited := Number(all[limit])
		if !ok || !limited || most == 0 {
			return ""
		}
		return fmt.Sprintf("%.0f %% of the limit", 100*float64(used)/float64(most))
	}
}

// when says something if the text is one of its words.
func when(said map[string]string) func(string, map[string]string) string {
	return func(text string, _ map[string]string) string { return said[text] }
}

// counted says something if one of the counters is not 0. Its lines are
//
//	oom_kill 1
func counted(name, says string) func(string, map[string]string) string {
	return func(text string, _ map[string]string) string {
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if key == name && value != "0" {
				return fmt.Sprintf(says, value)
			}
		}
		return ""
	}
}

// quota2 reads cpu.max: "50000 100000" or "max 100000".
func quota2(text string, _ map[string]string) string {
	quota, period, _ := strings.Cut(text, " ")
	return Processors(quota, period)
}

// quota1 reads cpu.cfs_quota_us beside cpu.cfs_period_us.
func quota1(text string, all map[string]string) string {
	return Processors(text, all["cpu.cfs_period_us"])
}

// Processors says how much processor time a quota in each period is.
func Processors(quota, period string) string {
	q, limited := Number(quota)
	p, ok := Number(period)
	if !limited || !ok || p == 0 {
		return "no limit"
	}
	return strconv.FormatFloat(float64(q)/float64(p), 'g', 3, 64) + " of a processor"
}

package progress

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// version is that of the text this package writes. A larger one is not ours.
const version = 1

// heading stands above what is written.
const heading = "# What you did in the container lab. You may edit this file."

// last is the last line of a whole file; one without it was cut.
const last = "end"

// record is what is known of one step.
type record struct {
	ran, passed, failed bool
	hints               int
	failure             Failure
	unknown             []string // words that another lab may understand
}

// state is what a file says.
type state struct {
	id      string // tells this file from another one's, whoever wrote them
	records map[string]*record
	loose   []string // lines that are not ours
}

// newState returns a state in which nothing was done.
func newState() *state { return &state{records: map[string]*record{}} }

// of returns what is known of a step, without making a record.
func (s *state) of(step string) record {
	if r := s.records[step]; r != nil {
		return *r
	}
	return record{}
}

// edit returns a step's record, which it makes if there is none.
func (s *state) edit(step string) *record {
	r := s.records[step]
	if r == nil {
		r = &record{}
		s.records[step] = r
	}
	return r
}

// stepID is how a line about a step begins.
var stepID = regexp.MustCompile(`^[0-9]{2}-[a-z0-9]+$`)

// isID is what newID makes.
var isID = regexp.MustCompile(`^[0-9a-f]{8}$`)

// newID returns a random id.
func newID() string { return fmt.Sprintf("%08x", rand.Uint32()) }

// parse reads the text of a file. Damage says in words why it cannot be trusted;
// the state is then what could be read of it, or nothing if a newer lab wrote it.
func parse(text string) (now *state, damage string) {
	now = newState()
	versioned, whole := 0, text == "" || strings.HasSuffix(text, "\n")
	var about *record // the step that indented lines belong to
	ended := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || line == heading:
		case line == last:
			ended = true
		case len(words) == 2 && words[0] == "version":
			versioned, _ = strconv.Atoi(words[1]) // what is no number is an older lab's
		case len(words) == 2 && words[0] == "id" && isID.MatchString(words[1]):
			now.id = words[1]
		case about != nil && isIndented(line) && about.detail(strings.TrimSpace(line)):
		case stepID.MatchString(words[0]):
			about = now.edit(words[0])
			about.read(words[1:])
		case len(words) == 2 && words[0] == "ran" && stepID.MatchString(words[1]):
			now.edit(words[1]).ran = true // as the first labs wrote it
		default:
			now.loose = append(now.loose, line)
		}
	}
	switch {
	case versioned > version:
		return newState(), "was written by a newer lab"
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		now.dropUnprintable()
		return now, "holds what is no text"
	case versioned > 0 && (!ended || !whole):
		return now, "ends in the middle"
	}
	return now, ""
}

// isIndented reports whether a line belongs to the one before.
func isIndented(line string) bool { return line[0] == ' ' || line[0] == '\t' }

// dropUnprintable leaves out the lines that are not ours and no text either.
func (s *state) dropUnprintable() {
	s.loose = slices.DeleteFunc(s.loose, func(line string) bool {
		return !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl)
	})
}

// read takes the words behind a step's name; of two that contradict each other
// the later one holds.
func (r *record) read(words []string) {
	for _, word := range words {
		hints, isHint := strings.CutPrefix(word, "hint-")
		n, err := strconv.Atoi(hints)
		switch {
		case word == "ran":
			r.ran = true
		case word == "passed":
			r.passed, r.failed = true, false
		case word == "failed":
			r.passed, r.failed = false, true
		case isHint && err == nil && n >= 0:
			r.hints = n
		default:
			r.unknown = append(r.unknown, word)
		}
	}
}

// detail takes a line of the last failure, such as "mistake: zombie-left". A
// text of several lines is written as several lines of one name.
func (r *record) detail(line string) bool {
	name, text, _ := strings.Cut(line, ":")
	for _, field := range r.failure.fields() {
		if field.name != name {
			continue
		}
		if *field.text != "" {
			*field.text += "\n"
		}
		*field.text += strings.TrimPrefix(text, " ")
		return true
	}
	return false
}

// field is one text of a failure and its name in the file.
type field struct {
	name string
	text *string
}

// fields returns the texts of a failure in the order in which they are written.
func (f *Failure) fields() []field {
	return []field{
		{"check", &f.Check},
		{"mistake", &f.Mistake},
		{"diagnosis", &f.Diagnosis},
		{"kernel", &f.Kernel},
	}
}

// text returns the lines of the file.
func (s *state) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nversion %d\n", heading, version)
	if s.id != "" {
		fmt.Fprintf(&b, "id %s\n", s.id)
	}
	for _, line := range s.loose {
		b.WriteString(line + "\n")
	}
	for _, step := range slices.Sorted(maps.Keys(s.records)) {
		r := s.records[step]
		b.WriteString(strings.Join(append([]string{step}, r.words()...), " ") + "\n")
		for _, field := range r.failure.fields() {
			if !r.failed || *field.text == "" {
				continue
			}
			for line := range strings.SplitSeq(*field.text, "\n") {
				fmt.Fprintf(&b, "    %s: %s\n", field.name, printable(line))
			}
		}
	}
	b.WriteString(last + "\n")
	return b.String()
}

// words returns what stands behind a step's name.
func (r *record) words() []string {
	var words []string
	if r.ran {
		words = append(words, "ran")
	}
	switch {
	case r.passed:
		words = append(words, "passed")
	case r.failed:
		words = append(words, "failed")
	}
	if r.hints > 0 {
		words = append(words, fmt.Sprintf("hint-%d", r.hints))
	}
	return append(words, r.unknown...)
}

// printable replaces what would harm a terminal or split a line: a failure may
// quote what a program printed.
func printable(line string) string {
	line = strings.ToValidUTF8(line, "?")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return '?'
		}
		return r
	}, line))
}

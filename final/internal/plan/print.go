package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Entry is an operation as `plan --json` shows it.
type Entry struct {
	Number int    `json:"number"`
	Phase  string `json:"phase"` // create or start
	Title  string `json:"title"`
	Side   Side   `json:"side"`
	Kind   string `json:"kind"`
	Does   string `json:"does"`
	Call   string `json:"call"`
	Shell  string `json:"shell,omitempty"`
	Man    string `json:"man"`
	Slot   string `json:"slot,omitempty"`
	Undo   string `json:"undo,omitempty"`
	Else   string `json:"else,omitempty"`
	Args   Action `json:"args"`
}

// Entries are the plan's operations, numbered.
func (p Plan) Entries() []Entry {
	var all []Entry
	for _, phase := range []struct {
		name string
		ops  []Op
	}{{"create", p.Create}, {"start", p.Start}} {
		for _, op := range phase.ops {
			w := op.Do.Words()
			all = append(all, Entry{
				Number: len(all) + 1, Phase: phase.name, Title: op.Title, Side: op.Side,
				Kind: Kind(op.Do), Does: w.Does, Call: w.Call, Shell: w.Shell, Man: w.Man,
				Slot: op.Slot, Undo: w.Undo, Else: op.Else.text(), Args: op.Do,
			})
		}
	}
	return all
}

// text says what is done instead, and when.
func (a *Alternative) text() string {
	switch {
	case a == nil:
		return ""
	case a.Do == nil:
		return a.Errno + ": go on without"
	}
	return a.Errno + ": " + a.Do.Words().Does
}

// PrintJSON writes the plan for programs.
func (p Plan) PrintJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(p.Entries())
}

// Print writes the plan for people: what is done, by whom, by which call, and how a
// shell would do it.
//
//	03-mount: a root of its own
//
//	  14  init     mount proc on /proc                                        mount(2)
//	               mount("proc", "ROOT/proc", "proc", MS_NOSUID, NULL)
//	             $ mount -t proc -o nosuid proc $ROOT/proc
func (p Plan) Print(w io.Writer) error {
	var b strings.Builder
	phase, title := "", ""
	for _, e := range p.Entries() {
		if e.Phase != phase {
			phase, title = e.Phase, ""
			fmt.Fprintf(&b, "%s\n", chapter(phase))
		}
		if e.Title != title {
			title = e.Title
			fmt.Fprintf(&b, "\n%s\n\n", title)
		}
		e.print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// chapter is what stands above the operations of a phase.
func chapter(phase string) string {
	if phase == "start" {
		return "\nSTART: init, which has waited, becomes the command."
	}
	return "CREATE: the runtime makes init, and init makes the container around itself."
}

// How a page is set: where words begin, and where a line ends.
const (
	indent = "               "
	width  = 80
)

// print writes one operation.
func (e Entry) print(b *strings.Builder) {
	head := fmt.Sprintf("  %3d  %-7s  %s", e.Number, e.Side, e.Does)
	pad := max(2, width-len([]rune(head))-len(e.Man))
	fmt.Fprintf(b, "%s%s%s\n", head, strings.Repeat(" ", pad), e.Man)
	call := e.Call
	if e.Slot != "" {
		call += " → " + e.Slot
	}
	wrap(b, indent, call)
	if e.Shell != "" {
		wrap(b, indent[:len(indent)-2]+"$ ", e.Shell)
	}
	if e.Else != "" {
		wrap(b, indent, "on "+e.Else)
	}
	if e.Undo != "" {
		wrap(b, indent, "undo: "+e.Undo)
	}
}

// wrap writes text in lines that fit, the second and further ones a little further in.
func wrap(b *strings.Builder, first, text string) {
	line := first
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
			line += word
		case len([]rune(line))+1+len([]rune(word)) > width:
			b.WriteString(line + "\n")
			line = indent + "  " + word
		default:
			line += " " + word
		}
	}
	b.WriteString(line + "\n")
}

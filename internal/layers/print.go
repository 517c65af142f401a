//go:build linux

package layers

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"lab/internal/cgroupview"
	"lab/internal/screen"
)

// Print prints the stack and what the upper layers change; with all every file.
func (s *Stack) Print(to screen.Screen, all bool) {
	fmt.Fprintln(to, to.Cut(s.title(), to.Width))
	fmt.Fprintln(to)
	s.printLayers(to)
	fmt.Fprintln(to)
	if n := s.missing(); n > 0 {
		text := fmt.Sprintf("%d of its %d layers could not be found: what they hold, and how "+
			"much, is not known.", n, len(s.Layers))
		if os.Geteuid() != 0 {
			text += " Root may find more."
		}
		to.Paragraph(text)
	} else {
		own, shared, hidden := s.Sizes()
		to.Paragraph(fmt.Sprintf("Its own: %s. Shared: %s in lower layers, of which %s cannot be "+
			"seen.", cgroupview.Size(own), cgroupview.Size(shared), cgroupview.Size(hidden)))
	}
	for _, note := range s.Notes {
		to.Paragraph(note)
	}
	fmt.Fprintln(to)
	s.printEntries(to, all)
}

// title says what overlay it is.
func (s *Stack) title() string {
	access := "writable"
	switch {
	case s.PID == 0:
		return fmt.Sprintf("An overlay of these %d directories, the topmost first", len(s.Layers))
	case s.ReadOnly:
		access = "read-only"
	}
	return fmt.Sprintf("Overlay on %s of process %d, %s, %d layers, the topmost first",
		s.Mount, s.PID, access, len(s.Layers))
}

// missing returns how many layers were not found.
func (s *Stack) missing() int {
	n := 0
	for _, l := range s.Layers {
		if l.Dir == "" {
			n++
		}
	}
	return n
}

// Sizes returns the bytes of the upper layer, of all others, and of those the ones
// that are hidden by layers above.
func (s *Stack) Sizes() (own, shared, hidden int64) {
	for _, l := range s.Layers {
		if l.Upper {
			own += l.Bytes
			continue
		}
		shared += l.Bytes
		hidden += l.HiddenBytes
	}
	return own, shared, hidden
}

// printLayers prints a line for each layer.
func (s *Stack) printLayers(to screen.Screen) {
	t := screen.Table{Screen: to, Flex: 4, Wrap: true, Right: map[int]bool{2: true, 3: true}}
	t.Add("", to.Bold("layer"), to.Bold("files"), to.Bold("size"), to.Bold("directory"))
	for i, l := range s.Layers {
		role := "lower"
		switch {
		case l.Upper:
			role = "upper"
		case l.Data:
			role = "data"
		}
		files, size := strconv.Itoa(l.Files), cgroupview.Size(l.Bytes)
		where := l.Dir
		switch {
		case l.Dir == "":
			files, size = "?", "?"
			where = fmt.Sprintf("%s: %s", l.Option, l.Why)
		case l.Why != "":
			where += ": " + l.Why
		case l.How != "":
			where += ", " + l.How
		}
		t.Add(to.Tint(i, l.Name), role, files, size, to.Clean(where))
	}
	t.Print()
}

// printEntries prints the names.
func (s *Stack) printEntries(to screen.Screen, all bool) {
	t := screen.Table{Screen: to, Flex: 2}
	count := map[State]int{}
	for _, e := range s.Entries {
		count[e.State]++
		if all || s.tells(e) {
			t.Add(to.Tint(max(0, e.Layer), s.layerName(e)), string(e.State), to.Clean(name(e)),
				s.remarkOn(e))
		}
	}
	t.Print()
	if !all {
		rest := len(s.Entries) - t.Len()
		if t.Len() == 0 && s.missing() == 0 {
			fmt.Fprintln(to, "No layer changes or hides what lies below it.")
		}
		if rest > 0 {
			fmt.Fprintf(to, "%d names more are as their layer has them: --all shows them.\n", rest)
		}
	}
}

// tells reports whether an entry tells something about overlays: a mark, a file of
// the upper layer, or one whose layer cannot be read otherwise.
func (s *Stack) tells(e Entry) bool {
	switch e.State {
	case Plain, Merged:
		return e.Redirect != "" || (e.Layer < 0 || s.Layers[e.Layer].Dir == "") && !e.Dir
	case New, CopiedUp, Replaced, Whiteout, Opaque, Attributes:
	}
	return true
}

// layerName names the layer that an entry comes from.
func (s *Stack) layerName(e Entry) string {
	if e.Layer < 0 {
		return "?"
	}
	return s.Layers[e.Layer].Name
}

// name is the path, with a slash after a directory.
func name(e Entry) string {
	if e.Dir && e.Path != "/" {
		return e.Path + "/"
	}
	return e.Path
}

// remarkOn tells what else there is to say about an entry.
func (s *Stack) remarkOn(e Entry) string {
	var words []string
	if len(e.Hides) > 0 {
		var names []string
		for _, i := range e.Hides {
			names = append(names, s.Layers[i].Name)
		}
		words = append(words, "hides "+strings.Join(names, " "))
	}
	if e.Redirect != "" {
		words = append(words, "was "+e.Redirect)
	}
	if e.MetaCopy {
		words = append(words, "attributes only")
	}
	return strings.Join(words, ", ")
}

// Document is what --json prints; docs/json.md describes it.
type Document struct {
	PID      int             `json:"pid,omitempty"`
	Mount    string          `json:"mount,omitempty"`
	ReadOnly bool            `json:"read_only"`
	Options  string          `json:"options,omitempty"`
	Own      int64           `json:"own_bytes"`
	Shared   int64           `json:"shared_bytes"`
	Hidden   int64           `json:"hidden_bytes"`
	Layers   []LayerDocument `json:"layers"`
	Entries  []EntryDocument `json:"entries"`
	Notes    []string        `json:"notes"`
}

// LayerDocument is a layer in a Document.
type LayerDocument struct {
	Name   string `json:"name"`
	Role   string `json:"role"`
	Option string `json:"option"`
	Dir    string `json:"dir,omitempty"`
	How    string `json:"how,omitempty"`
	Why    string `json:"why,omitempty"`
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
	Hidden int64  `json:"hidden_bytes"`
}

// EntryDocument is a name in a Document.
type EntryDocument struct {
	Path     string   `json:"path"`
	Dir      bool     `json:"dir"`
	Size     int64    `json:"size"`
	Layer    string   `json:"layer"`
	State    State    `json:"state"`
	Hides    []string `json:"hides"`
	Redirect string   `json:"redirect,omitempty"`
	MetaCopy bool     `json:"metacopy"`
}

// Document returns the stack as --json prints it.
func (s *Stack) Document() Document {
	d := Document{
		PID: s.PID, Mount: s.Mount, ReadOnly: s.ReadOnly, Options: s.Options,
		Layers: []LayerDocument{}, Entries: []EntryDocument{},
		Notes: append([]string{}, s.Notes...),
	}
	d.Own, d.Shared, d.Hidden = s.Sizes()
	for _, l := range s.Layers {
		role := "lower"
		switch {
		case l.Upper:
			role = "upper"
		case l.Data:
			role = "data"
		}
		d.Layers = append(d.Layers, LayerDocument{
			l.Name, role, l.Option, l.Dir, l.How, l.Why, l.Files, l.Bytes, l.HiddenBytes,
		})
	}
	for _, e := range s.Entries {
		entry := EntryDocument{
			Path: e.Path, Dir: e.Dir, Size: e.Size, Layer: s.layerName(e), State: e.State,
			Hides: []string{}, Redirect: e.Redirect, MetaCopy: e.MetaCopy,
		}
		for _, i := range e.Hides {
			entry.Hides = append(entry.Hides, s.Layers[i].Name)
		}
		d.Entries = append(d.Entries, entry)
	}
	return d
}

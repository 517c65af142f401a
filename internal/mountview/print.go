//go:build linux

package mountview

import (
	"fmt"
	"strings"

	"lab/internal/screen"
)

// sign repeats a verdict in one column.
func (v Verdict) sign() string {
	switch v {
	case Same:
		return " "
	case Other:
		return "~"
	case Added:
		return "+"
	}
	return "?"
}

// Print prints the mounts as a tree.
func (m *Mounts) Print(to screen.Screen) {
	if !m.Own {
		fmt.Fprintf(to, "Its mount namespace is yours: what it mounts, you see.\n\n")
	}
	t := screen.Table{Screen: to, Flex: 3, Wrap: true}
	t.Add("", to.Bold("mounted on"), to.Bold("type"), to.Bold("what it is"))
	width := to.Width * 2 / 5
	for _, mount := range m.List {
		indent := strings.Repeat(to.Sign("· ", ". "), mount.Depth)
		place := screen.Break(to.Clean(mount.Mountpoint), max(8, width-screen.Width(indent)))
		sign := mount.Verdict.sign()
		if mount.Verdict != Same {
			sign = to.Own(sign)
		}
		more := "\n" + strings.Repeat(" ", screen.Width(indent))
		t.Add(sign, indent+strings.Join(place, more), mount.FSType, to.Clean(m.meaning(mount)))
	}
	t.Print()
	if m.Own {
		fmt.Fprintln(to)
		m.summary(to)
	}
}

// summary explains the signs and names what is not there.
func (m *Mounts) summary(to screen.Screen) {
	text := fmt.Sprintf("%d mounts: %d as yours, %s %d where you see something else, "+
		"%s %d where you have none.", len(m.List), m.Count(Same), Other.sign(), m.Count(Other),
		Added.sign(), m.Count(Added))
	to.Paragraph(text)
	if len(m.Lacks) > 0 {
		tops := strings.Join(m.lackedTops(), " ")
		to.Paragraph(to.Clean(fmt.Sprintf("It lacks %d of yours: %s.", len(m.Lacks), tops)))
	}
}

// lackedTops returns the places that it lacks, without those that lie below
// another one.
func (m *Mounts) lackedTops() []string {
	var tops []string
	for _, place := range m.Lacks { // sorted: what lies below comes after
		if len(tops) == 0 || !strings.HasPrefix(place, tops[len(tops)-1]+"/") {
			tops = append(tops, place)
		}
	}
	return tops
}

// Document is what --json prints; docs/json.md describes it.
type Document struct {
	PID    int             `json:"pid"`
	Own    bool            `json:"own"`
	Mounts []MountDocument `json:"mounts"`
	Lacks  []string        `json:"lacks"`
}

// MountDocument is a mount in a Document.
type MountDocument struct {
	ID           int     `json:"id"`
	Parent       int     `json:"parent"`
	Target       string  `json:"target"`
	Source       string  `json:"source"`
	Type         string  `json:"type"`
	Device       string  `json:"device"`
	Root         string  `json:"root"`
	Options      string  `json:"options"`
	SuperOptions string  `json:"super_options"`
	Propagation  string  `json:"propagation"`
	Verdict      Verdict `json:"verdict"`
	Meaning      string  `json:"meaning"`
}

// Document returns the mounts as --json prints them.
func (m *Mounts) Document() Document {
	d := Document{
		PID: m.PID, Own: m.Own, Mounts: []MountDocument{}, Lacks: append([]string{}, m.Lacks...),
	}
	for _, mount := range m.List {
		d.Mounts = append(d.Mounts, MountDocument{
			ID: mount.ID, Parent: mount.Parent, Target: mount.Mountpoint, Source: mount.Source,
			Type: mount.FSType, Device: mount.Device(), Root: mount.Root,
			Options: mount.Options, SuperOptions: mount.VFSOptions, Propagation: mount.Optional,
			Verdict: mount.Verdict, Meaning: m.meaning(mount),
		})
	}
	return d
}

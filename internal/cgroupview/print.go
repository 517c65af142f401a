//go:build linux

package cgroupview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lab/internal/screen"
)

// Print prints cgroups, each with its files.
func Print(to screen.Screen, cgroups []Cgroup) {
	for i, c := range cgroups {
		if i > 0 {
			fmt.Fprintln(to)
		}
		c.print(to)
	}
}

// print prints one cgroup.
func (c Cgroup) print(to screen.Screen) {
	name := c.Name()
	if c.Version() == 1 {
		name += " (v1)"
	}
	verdict := "shared with you"
	if c.Own() {
		verdict = to.Own("isolated") + ": you are in " + to.Clean(c.Yours)
	}
	to.Paragraph(fmt.Sprintf("%s: %s, %s", to.Bold(name), to.Clean(c.Path), verdict))
	if c.Why != "" {
		fmt.Fprintln(to, "  "+c.Why)
		return
	}
	for _, line := range screen.Wrap(to.Clean(c.Dir)+", "+c.processes(), to.Width-2) {
		fmt.Fprintln(to, "  "+line)
	}
	t := screen.Table{Screen: to, Indent: 2, Flex: 2, Wrap: true}
	for _, f := range c.Files {
		if f.Usual {
			continue
		}
		if f.Err != nil {
			t.Add(f.Name, to.Alarm("?"), f.Err.Error())
			continue
		}
		t.Add(f.Name, to.Cut(to.Clean(f.Value), c.room(to)), f.Meaning)
	}
	t.Print()
}

// room is how wide the column of values may become.
func (c Cgroup) room(to screen.Screen) int {
	longest := 0
	for _, f := range c.Files {
		if f.Usual {
			continue
		}
		longest = max(longest, len(f.Name))
	}
	return max(12, (to.Width-longest)/2-4)
}

// processes names the processes in the cgroup.
func (c Cgroup) processes() string {
	const most = 8
	var words []string
	hidden := 0
	for _, pid := range c.Processes {
		if pid == 0 {
			hidden++
			continue
		}
		words = append(words, strconv.Itoa(pid))
	}
	if len(words) > most {
		words = append(words[:most], fmt.Sprintf("and %d more", len(words)-most))
	}
	if hidden > 0 {
		words = append(words, fmt.Sprintf("(%d that you cannot see)", hidden))
	}
	if len(words) == 0 {
		return "no processes in it"
	}
	return "processes " + strings.Join(words, " ")
}

// Choose leaves the cgroups that have one of some controllers; with none named
// all are left.
func Choose(cgroups []Cgroup, controllers []string) []Cgroup {
	if len(controllers) == 0 {
		return cgroups
	}
	var chosen []Cgroup
	for _, c := range cgroups {
		var has []string
		for _, name := range controllers {
			if slices.Contains(c.Controllers, name) || name == c.Name() ||
				slices.Contains(c.Controllers, "name="+name) {
				has = append(has, name)
			}
		}
		if len(has) > 0 {
			c.Files = filesOf(c, has)
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// filesOf returns the files of some controllers. The name of the hierarchy
// stands for all of its files.
func filesOf(c Cgroup, controllers []string) []File {
	if c.Version() == 1 || slices.Contains(controllers, c.Name()) {
		return c.Files
	}
	var files []File
	for _, f := range c.Files {
		if prefix, _, _ := strings.Cut(f.Name, "."); slices.Contains(controllers, prefix) {
			files = append(files, f)
		}
	}
	return files
}

// Document is a cgroup as --json prints it; docs/json.md describes it.
type Document struct {
	Version     int            `json:"version"`
	Controllers []string       `json:"controllers"`
	Path        string         `json:"path"`
	YourPath    string         `json:"your_path"`
	Own         bool           `json:"own"`
	Dir         string         `json:"dir,omitempty"`
	Why         string         `json:"why,omitempty"`
	Processes   []int          `json:"processes"`
	Files       []FileDocument `json:"files"`
}

// FileDocument is a file in a Document.
type FileDocument struct {
	Name    string `json:"name"`
	Text    string `json:"text"`
	Value   string `json:"value"`
	Meaning string `json:"meaning"`
	Error   string `json:"error,omitempty"`
}

// Documents returns the cgroups as --json prints them.
func Documents(cgroups []Cgroup) []Document {
	list := []Document{}
	for _, c := range cgroups {
		d := Document{
			Version: c.Version(), Controllers: append([]string{}, c.Controllers...), Path: c.Path,
			YourPath: c.Yours, Own: c.Own(), Dir: c.Dir, Why: c.Why,
			Processes: append([]int{}, c.Processes...), Files: []FileDocument{},
		}
		for _, f := range c.Files {
			file := FileDocument{Name: f.Name, Text: f.Text, Value: f.Value, Meaning: f.Meaning}
			if f.Err != nil {
				file.Error = f.Err.Error()
			}
			d.Files = append(d.Files, file)
		}
		list = append(list, d)
	}
	return list
}

package architecture

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// step is one step of the path and the files that its topic brings.
type step struct {
	dir   string
	files []string
}

// course is the sequence of steps. A step's program consists of its own files and
// of all files of the steps before it.
var course = []step{
	{"00-exec", []string{"errors.go", "main.go", "signals.go"}},
	{"01-uts", []string{"init.go"}},
	{"02-pid", []string{"pid.go"}},
	{"03-mount", []string{"dev.go", "mount.go"}},
	{"04-net", []string{
		"address.go", "bridge.go", "forward.go", "gate.go", "host.go",
		"leave.go", "legacy.go", "links.go", "nat.go", "net.go", "netns.go", "resolv.go",
	}},
	{"05-cgroups", []string{
		"cgroup.go", "cgroup_v1.go", "cgroup_v2.go", "delegate.go",
		"hierarchy.go", "limits.go", "report.go",
	}},
	{"06-unionfs", []string{
		"initlayer.go", "layers.go", "overlay.go", "scratch.go", "workdir.go",
	}},
	{"07-volumes", []string{"target.go", "volume.go"}},
	{"08-user", []string{"forbidden.go", "idmap.go", "lend.go", "subid.go", "user.go"}},
}

// The limits of STYLE: a step is read on a projector.
const (
	maxCarried = 50  // lines added plus removed in carried files
	maxFile    = 150 // lines of a file, without its package comment
	maxFunc    = 60  // lines of a function
	maxColumns = 80  // columns of a line, where a tab counts four
	maxFirst   = 90  // lines that 01 adds to 00, and lines of code of its main.go
)

// headings are the sections of every lesson, in their order.
var headings = []string{
	"The problem", "The idea", "The code", "Try it", "What is still missing", "Exercises",
}

// existing returns the steps that are there, which must be the course's beginning:
// a step without its parent is no step.
func existing(t *testing.T) []step {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(module, "steps"))
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		if e.IsDir() {
			found = append(found, e.Name())
		}
	}
	var want []string
	for _, s := range course[:min(len(found), len(course))] {
		want = append(want, s.dir)
	}
	require.Equal(t, want, found, "the directories in steps/")
	return course[:len(found)]
}

// program reads the files of a step that are not tests, by their names.
func (s step) program(t *testing.T) map[string]source {
	t.Helper()
	files := map[string]source{}
	for _, f := range sources(t, "steps/"+s.dir) {
		if !f.isTest() {
			files[filepath.Base(f.path)] = f
		}
	}
	return files
}

func TestStepIsItsParentPlusOneTopic(t *testing.T) {
	var carried []string
	var previous map[string]source
	for _, s := range existing(t) {
		t.Run(s.dir, func(t *testing.T) {
			parent, files := previous, s.program(t)
			previous = files
			var names []string
			for name := range files {
				names = append(names, name)
			}
			require.ElementsMatch(t, slices.Concat(carried, s.files), names, "files of the program")

			total := 0
			for _, name := range carried {
				if _, ok := parent[name]; !ok {
					continue // the parent's own test tells
				}
				n := changed(parent[name].body(), files[name].body())
				t.Logf("%s: %d lines added plus removed", name, n)
				total += n
			}
			t.Logf("%d lines added plus removed in carried files", total)
			assert.LessOrEqual(t, total, maxCarried, "lines added plus removed in carried files")
		})
		carried = append(carried, s.files...)
	}
}

func TestStepFitsAScreen(t *testing.T) {
	for _, s := range existing(t) {
		t.Run(s.dir, func(t *testing.T) {
			for _, f := range s.program(t) {
				assert.LessOrEqual(t, len(f.body()), maxFile, "lines of %s", f.path)
				for _, fn := range functions(f) {
					assert.LessOrEqual(t, fn.lines, maxFunc, "lines of %s in %s", fn.name, f.path)
				}
			}
			for _, f := range sources(t, "steps/"+s.dir) {
				for i, line := range strings.Split(f.text, "\n") {
					width := columns(line)
					assert.LessOrEqual(t, width, maxColumns, "columns of %s:%d", f.path, i+1)
				}
			}
		})
	}
}

// Whoever has read 00 reads 01 in five minutes: its new file, what changed in
// the others, and main.go once more.
func TestFirstNamespaceIsReadInFiveMinutes(t *testing.T) {
	if len(existing(t)) < 2 {
		return
	}
	before, files := course[0].program(t), course[1].program(t)
	n := 0
	for name, f := range files {
		if old, carried := before[name]; carried {
			n += changed(old.body(), f.body())
		} else {
			n += f.code()
		}
	}
	assert.LessOrEqual(t, n, maxFirst, "lines of %s that 00 has not", course[1].dir)
	assert.LessOrEqual(t, files["main.go"].code(), maxFirst, "lines of code of main.go")
}

func TestLessonHasItsHeadings(t *testing.T) {
	for _, s := range existing(t) {
		t.Run(s.dir, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(module, "steps", s.dir, "README.md"))
			require.NoError(t, err)
			var found []string
			fenced := false // a shell's comment in a sample looks like a heading
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(line, "```") {
					fenced = !fenced
				}
				if heading, ok := strings.CutPrefix(line, "## "); ok && !fenced {
					found = append(found, strings.TrimSpace(heading))
				}
			}
			assert.Equal(t, headings, found)
		})
	}
}

// function is the name of a function and how long it is.
type function struct {
	name  string
	lines int
}

// functions lists the functions that the file declares.
func functions(f source) []function {
	var all []function
	for _, decl := range f.file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			first, last := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
			all = append(all, function{fn.Name.Name, last - first + 1})
		}
	}
	return all
}

// columns returns how wide a line is on the screen.
func columns(line string) int {
	return len([]rune(strings.ReplaceAll(line, "\t", "    ")))
}

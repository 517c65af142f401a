package workspace

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/course"
)

// eachStep runs a test for each step with its reference and its parent's.
func eachStep(t *testing.T, test func(t *testing.T, step string, parent, reference Files)) {
	t.Helper()
	parent := Files{}
	for _, s := range course.Steps() {
		reference, err := ReferenceOf(s.ID)
		require.NoError(t, err)
		before := parent
		t.Run(s.ID, func(t *testing.T) { test(t, s.ID, before, reference) })
		parent = reference
	}
}

// stubFiles returns the stubs of a step by the names of the files they are for.
func stubFiles(t *testing.T, step string) map[string][]byte {
	t.Helper()
	entries, err := fs.ReadDir(stubs, path.Join("stubs", step))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, e := range entries {
		if name, found := strings.CutSuffix(e.Name(), ".txt"); found {
			files[name], err = stub(step, name)
			require.NoError(t, err)
		}
	}
	require.NotEmpty(t, files)
	return files
}

// A stub promises what the reference does: the same functions with the same
// parameters and results, in files that the step brings.
func TestStubsHaveTheReferencesSignatures(t *testing.T) {
	eachStep(t, func(t *testing.T, step string, parent, reference Files) {
		for name, text := range stubFiles(t, step) {
			assert.NotContains(t, parent, name, "a carried file has no stub")
			require.Contains(t, reference, name)
			p, err := parse(name, text)
			require.NoError(t, err)
			whole, err := parse(name, reference[name])
			require.NoError(t, err)
			for function, fn := range p.functions() {
				require.Contains(t, whole.functions(), function)
				assert.Equal(t, signature(t, whole.functions()[function]), signature(t, fn))
			}
		}
	})
}

// signature prints a function without its comment and body.
func signature(t *testing.T, fn *ast.FuncDecl) string {
	t.Helper()
	var b bytes.Buffer
	bare := *fn
	bare.Doc, bare.Body = nil, nil
	require.NoError(t, format.Node(&b, token.NewFileSet(), &bare))
	return b.String()
}

// The comment is all that a learner has to go by, and the body must not do more
// than say that there is none.
func TestStubsSayWhatAndNotHow(t *testing.T) {
	eachStep(t, func(t *testing.T, step string, _, _ Files) {
		for name, text := range stubFiles(t, step) {
			formatted, err := format.Source(text)
			require.NoError(t, err)
			assert.Equal(t, string(formatted), string(text), "gofmt of %s", name)
			p, err := parse(name, text)
			require.NoError(t, err)
			for function, fn := range p.functions() {
				require.NotNil(t, fn.Doc, function)
				assert.True(t, strings.HasPrefix(fn.Doc.Text(), fn.Name.Name+" "), function)
				body := string(p.text[p.at(fn.Body.Pos()):p.at(fn.Body.End())])
				if strings.Contains(body, "error") {
					assert.Contains(t, body, "is not written yet", function)
				}
				assert.LessOrEqual(t, len(fn.Body.List), 1, function)
			}
			for i, line := range strings.Split(string(text), "\n") {
				assert.LessOrEqual(t, len([]rune(strings.ReplaceAll(line, "\t", "    "))), 80,
					"columns of %s:%d", name, i+1)
			}
		}
	})
}

// carriedEdits matches an edit of START.md, such as "2. `main.go`, `start`: …".
var carriedEdits = regexp.MustCompile("(?m)^[0-9]\\. `([a-z_0-9]+\\.go)`")

// START.md lists the edits in carried files: three to six, and each file of the
// reference that changes is among them.
func TestGuidesListTheEdits(t *testing.T) {
	eachStep(t, func(t *testing.T, step string, parent, reference Files) {
		text, err := stubs.ReadFile("stubs/" + step + "/START.md")
		require.NoError(t, err)
		_, edit, found := strings.Cut(string(text), "\n## Edit\n")
		if len(parent) == 0 {
			require.False(t, found, "nothing is carried into the first step")
			return
		}
		require.True(t, found)
		edit, _, _ = strings.Cut(edit, "\n## ")
		edits := carriedEdits.FindAllStringSubmatch(edit, -1)
		assert.GreaterOrEqual(t, len(edits), 3)
		assert.LessOrEqual(t, len(edits), 6)
		named := map[string]bool{}
		for _, e := range edits {
			named[e[1]] = true
		}
		changed := map[string]bool{}
		for name, text := range parent {
			if body(t, name, text) != body(t, name, reference[name]) {
				changed[name] = true
			}
		}
		assert.Equal(t, changed, named)
	})
}

// body returns a file from its package clause on: the comment before is the
// story of the step.
func body(t *testing.T, name string, text []byte) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.PackageClauseOnly)
	require.NoError(t, err)
	return string(text[file.Package-1:])
}

// What START.md calls a function or a file is there.
func TestGuidesNameWhatIsThere(t *testing.T) {
	eachStep(t, func(t *testing.T, step string, _, reference Files) {
		text, err := stubs.ReadFile("stubs/" + step + "/START.md")
		require.NoError(t, err)
		files := regexp.MustCompile("`([a-z_0-9]+\\.go)`")
		for _, name := range files.FindAllStringSubmatch(string(text), -1) {
			assert.Contains(t, reference, name[1])
		}
		for name := range stubFiles(t, step) {
			assert.Contains(t, string(text), "`"+name+"`")
		}
		for line := range strings.Lines(string(text)) {
			assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 81, line)
		}
	})
}

// The functions that are not the learner's are the reference's, word for word.
func TestGivenFunctionsAreTheReferences(t *testing.T) {
	eachStep(t, func(t *testing.T, step string, _, reference Files) {
		for name, text := range stubFiles(t, step) {
			made, err := complete(name, reference[name], text)
			require.NoError(t, err)
			ours, err := parse(name, made)
			require.NoError(t, err)
			whole, err := parse(name, reference[name])
			require.NoError(t, err)
			todo, err := parse(name, text)
			require.NoError(t, err)
			for function, fn := range whole.functions() {
				want := string(whole.source(fn))
				if mine, ok := todo.functions()[function]; ok {
					want = string(todo.source(mine))
				}
				require.Contains(t, ours.functions(), function)
				assert.Equal(t, want, string(ours.source(ours.functions()[function])))
			}
		}
	})
}

func TestFieldsAreAdded(t *testing.T) {
	parent := Files{"main.go": []byte("package main\n\ntype container struct {\n" +
		"\tCommand []string\n\n\tchild int\n}\n")}
	step := Files{"main.go": []byte("package main\n\ntype container struct {\n" +
		"\tNet     network // where it is\n\tCommand []string\n\n\tchild int\n" +
		"\tundo  []func() error\n}\n")}
	tests := []struct {
		name, own, want string
		added           []string
		err             error
	}{
		{
			name: "the exported before the command, the others at the end",
			own:  "package main\n\ntype container struct {\n\tCommand []string\n}\n",
			want: "package main\n\ntype container struct {\n\tNet     network // where it is\n" +
				"\tCommand []string\n\tundo    []func() error\n}\n",
			added: []string{"Net", "undo"},
		},
		{
			name: "one that is there stays",
			own:  "package main\n\ntype container struct {\n\tundo func()\n}\n",
			want: "package main\n\ntype container struct {\n\tNet  network // where it is\n" +
				"\tundo func()\n}\n",
			added: []string{"Net"},
		},
		{
			name: "a program without the type",
			own:  "package main\n\ntype box struct{}\n",
			err:  errNoContainer,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := Files{"own.go": []byte(tt.own)}
			added, err := addFields(own, parent, step)
			require.ErrorIs(t, err, tt.err)
			if tt.err == nil {
				assert.Equal(t, tt.want, string(own["own.go"]))
				assert.Equal(t, tt.added, added)
			}
		})
	}
}

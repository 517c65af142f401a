package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the directory of go.mod, seen from this package's.
const module = "../.."

// source is one Go file of the module.
type source struct {
	path string // from the module's directory, with slashes
	text string
	file *ast.File
	fset *token.FileSet
}

// parse reads one Go file.
func parse(t *testing.T, path string) source {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(module, path))
	require.NoError(t, err)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments)
	require.NoError(t, err)
	return source{path: filepath.ToSlash(path), text: string(text), file: file, fset: fset}
}

// sources reads all Go files below a directory of the module, as the go command
// sees them: without testdata and without names that begin with a dot or a line.
func sources(t *testing.T, below string) []source {
	t.Helper()
	var found []source
	root := filepath.Join(module, below)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		hidden := name == "testdata" || strings.ContainsAny(name[:1], "._")
		if d.IsDir() && hidden && path != root {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		path, err = filepath.Rel(module, path)
		found = append(found, parse(t, path))
		return err
	})
	require.NoError(t, err)
	return found
}

// isTest reports whether the file belongs to the tests.
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports returns the paths that the file imports from this module.
func (s source) imports() []string {
	var own []string
	for _, spec := range s.file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if path == "lab" || strings.HasPrefix(path, "lab/") {
			own = append(own, path)
		}
	}
	return own
}

// body returns the file's lines from its package clause on: what stands before is
// the package comment, which tells each step's own story.
func (s source) body() []string {
	lines := strings.Split(strings.TrimSuffix(s.text, "\n"), "\n")
	return lines[s.fset.Position(s.file.Package).Line-1:]
}

// code returns the number of lines that hold code: neither blank nor only comment.
func (s source) code() int {
	comment := map[int]bool{}
	for _, group := range s.file.Comments {
		first, last := s.fset.Position(group.Pos()).Line, s.fset.Position(group.End()).Line
		for line := first; line <= last; line++ {
			comment[line] = true
		}
	}
	n := 0
	for i, line := range strings.Split(s.text, "\n") {
		text := strings.TrimSpace(line)
		onlyComment := comment[i+1] && strings.HasPrefix(text, "//")
		if text != "" && !onlyComment {
			n++
		}
	}
	return n
}

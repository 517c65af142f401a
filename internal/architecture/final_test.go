package architecture

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxReading is how many lines of code one reads to follow a container's way.
const maxReading = 1800

// readingRow is a line of the list in final/README.md.
//
//	| 4 | [compile.go](internal/plan/compile.go) | `Compile` |
var readingRow = regexp.MustCompile("(?m)^\\| \\d+ \\| \\[.*\\]\\((.*)\\) \\| `(.*)` \\|$")

// declares reports whether a file declares a function, method or type of that name.
func (s source) declares(name string) bool {
	found := false
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			found = found || n.Name.Name == name
		case *ast.TypeSpec:
			found = found || n.Name.Name == name
		}
		return true
	})
	return found
}

func TestRuntimeCanBeRead(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(module, "final", "README.md"))
	require.NoError(t, err)
	rows := readingRow.FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(rows), 10)
	lines := 0
	for _, row := range rows {
		file := parse(t, filepath.Join("final", row[1]))
		assert.True(t, file.declares(row[2]), "%s declares %s", row[1], row[2])
		lines += file.code()
	}
	assert.LessOrEqual(t, lines, maxReading)
	t.Logf("%d files, %d lines of code", len(rows), lines)
}

// counterpart is the end of a lesson.
var counterpart = regexp.MustCompile(
	"`(\\w+)` of\\n\\[.*\\]\\(../../(final/.*)\\) that does this\\.\\n$")

func TestLessonsLeadToTheRuntime(t *testing.T) {
	for _, s := range existing(t) {
		text, err := os.ReadFile(filepath.Join(module, "steps", s.dir, "README.md"))
		require.NoError(t, err)
		found := counterpart.FindStringSubmatch(string(text))
		if assert.NotNil(t, found, s.dir) {
			assert.True(t, parse(t, found[2]).declares(found[1]), "%s: %s", s.dir, found[0])
		}
	}
}

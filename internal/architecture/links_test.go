package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// link is one to a file of the module, without what is in that file.
var link = regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, pattern := range []string{
		"*.md", "final/*.md", "docs/*.md", "docs/decisions/*.md", "vagrant/*.md", "steps/*/*.md",
	} {
		pages, err := filepath.Glob(filepath.Join(module, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, pages, pattern)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			for _, found := range link.FindAllStringSubmatch(string(text), -1) {
				assert.FileExists(t, filepath.Join(filepath.Dir(page), found[1]), page)
			}
		}
	}
}

// dockerRow is a row of docs/docker.md: words, what happens, a file with a name in it, and
// a step's lesson.
//
//	| `docker run --ip` | … | [network/pool.go](../final/…/pool.go) `pickAddress` | [04-net](…) |
var dockerRow = regexp.MustCompile(
	"(?m)^\\| `.*` \\| .* \\| \\[(.*)\\]\\(\\.\\./(.*)\\) `(.*)` \\| " +
		"(?:no step|\\[(.*)\\]\\(.*\\)) \\|$")

func TestDockersWordsLeadToCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(module, "docs", "docker.md"))
	require.NoError(t, err)
	rows := dockerRow.FindAllStringSubmatch(string(text), -1)
	taught := map[string]bool{}
	for _, row := range rows {
		assert.Equal(t, "final/internal/"+row[1], row[2])
		assert.True(t, parse(t, row[2]).declares(row[3]), "%s declares %s", row[2], row[3])
		taught[row[4]] = true
	}
	for _, s := range existing(t) {
		assert.True(t, taught[s.dir], "nothing leads to %s", s.dir)
	}
	lines := regexp.MustCompile("(?m)^\\| `").FindAllString(string(text), -1)
	assert.Len(t, rows, len(lines), "rows that are not as they should be")
}

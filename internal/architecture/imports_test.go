package architecture

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// arrow is what the files below one directory may import from this module.
type arrow struct {
	from    string   // directory
	allowed []string // beginnings of import paths
	tests   []string // the same for files of tests
}

// texts is the package that carries the steps' sources and lessons; the steps
// themselves are programs, which nobody can import.
const texts = "lab/steps"

// arrows go down: nothing imports of this module but what stands here.
var arrows = []arrow{
	{"cmd", []string{"lab/internal/", texts}, []string{"lab/internal/", texts}},
	{"final", []string{"lab/final/"}, []string{"lab/final/", "lab/internal/"}},
	{"internal", []string{"lab/internal/", texts}, []string{"lab/internal/", texts}},
	{"steps", nil, []string{"lab/internal/"}},
}

// userland is what mini's built-in image is made of, the lab's own root, and who may
// import it: the command, for it is that userland, and the engine.
var userland = arrow{
	from:    "final/cmd/mini/ final/internal/engine/",
	allowed: []string{"lab/internal/box", "lab/internal/baseroot"},
}

func TestArrowsGoDown(t *testing.T) {
	for _, a := range arrows {
		t.Run(a.from, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(module, a.from)); err != nil {
				return // this part of the module is not built yet
			}
			for _, s := range sources(t, a.from) {
				for _, path := range s.imports() {
					assert.True(t, a.allows(s, path), "%s imports %s", s.path, path)
				}
			}
		})
	}
}

// allows reports whether the file s may import path.
func (a arrow) allows(s source, path string) bool {
	allowed := a.allowed
	for dir := range strings.FieldsSeq(userland.from) {
		if strings.HasPrefix(s.path, dir) {
			allowed = slices.Concat(allowed, userland.allowed)
		}
	}
	if s.isTest() {
		allowed = a.tests
	}
	for _, beginning := range allowed {
		if strings.HasPrefix(path, beginning) {
			return true
		}
	}
	return false
}

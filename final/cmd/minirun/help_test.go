package main_test

import (
	"regexp"
	"strings"
	"testing"

	"lab/internal/need"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each verb tells of itself: one sentence, each flag with a phrase, and an example that
// has no flag but these. What `minirun --help` lists is all there is.
func TestHelp(t *testing.T) {
	need.Sandbox(t)
	e := newEngine(t, "true")
	help := e.ok("--help")
	assert.Equal(t, help, e.ok("help"))
	assert.Regexp(t, `(?m)^      --root DIR +keep the state in DIR \(default /`, help)
	verb := regexp.MustCompile(`(?m)^  ([a-z]+) +(\S.*)$`)
	found := verb.FindAllStringSubmatch(help, -1)
	require.Len(t, found, 16)
	for _, v := range found {
		name, does := v[1], v[2]
		text := e.ok(name, "--help")
		assert.Equal(t, text, e.ok("help", name))
		assert.Contains(t, text, "usage: minirun "+name)
		assert.Contains(t, text, "\n"+does+"\n")
		_, example, _ := strings.Cut(text, "\nexample: minirun "+name)
		for flag := range strings.FieldsSeq(example) {
			if strings.HasPrefix(flag, "--") {
				assert.Contains(t, text, " "+flag+" ", name)
			}
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, " --") && !strings.HasPrefix(line, "example") {
				assert.Regexp(t, `^  (-., |    )--[a-z-]+( \S+)? {2,}\S+ \S+`, line, name)
			}
			assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 80, line)
		}
	}
	assert.Contains(t, e.ok("create", "--help"), "  -b, --bundle DIR ")
	assert.Contains(t, e.do("start").err, "usage: 0 arguments: minirun start ID")
}

// With --debug the operations are told before they are performed, to people and to the
// log.
func TestDebug(t *testing.T) {
	e := newEngine(t, "true")
	e.write()
	r := e.do("--debug", "run", "web")
	assert.Zero(t, r.status)
	assert.Regexp(t, `(?m)^minirun: debug: [0-9]+ init: pivot_root$`, r.err)
	assert.NotContains(t, e.do("run", "web").err, "debug")
}

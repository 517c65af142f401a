//go:build linux

package hint

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check"
	"lab/internal/course"
	"lab/internal/lesson"
	"lab/internal/lesson/lessontest"
	"lab/internal/need"
	"lab/internal/progress"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// Whichever check fails, the first hint is about it.
func TestEveryCheckHasAHint(t *testing.T) {
	for _, s := range course.Steps() {
		general := get(t, s.ID, 1, nil)
		known := map[string]bool{"it builds": true}
		for _, ancestor := range course.UpTo(s.ID) {
			for _, c := range check.Of(ancestor.ID) {
				known[c.Name] = true
				text := get(t, s.ID, 1, &progress.Failure{Check: c.Name})
				assert.NotEqual(t, general, text, "%s: %s", s.ID, c.Name)
			}
		}
		h, err := Of(s.ID)
		require.NoError(t, err)
		for _, r := range h.reactions {
			if r.kind == "check" {
				assert.True(t, known[r.pattern], "%s has no check %q", s.ID, r.pattern)
			}
		}
	}
}

// What the hints say to type prints what they say.
func TestCommandsRun(t *testing.T) {
	for _, s := range course.Steps() {
		t.Run(s.ID, func(t *testing.T) {
			if s.ID == "05-cgroups" {
				need.Cgroup(t, "memory", "cpu", "pids")
			}
			text, err := files.ReadFile("steps/" + s.ID + ".md")
			require.NoError(t, err)
			l, err := lesson.Read(string(text))
			require.NoError(t, err)
			lessontest.Type(t, s.ID, l)
		})
	}
	t.Run(anyStep, func(t *testing.T) {
		text, err := files.ReadFile("steps/" + anyStep + ".md")
		require.NoError(t, err)
		l, err := lesson.Read(string(text))
		require.NoError(t, err)
		lessontest.Type(t, "00-exec", l)
	})
}

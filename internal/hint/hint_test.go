package hint

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/course"
	"lab/internal/progress"
)

// get returns a hint, which has to be there.
func get(t *testing.T, step string, level int, failed *progress.Failure) string {
	t.Helper()
	h, err := Of(step)
	require.NoError(t, err)
	text, err := h.Get(level, failed)
	require.NoError(t, err)
	return text
}

// Each step has three hints, all of them different and each a screen at most.
func TestTwentySeven(t *testing.T) {
	seen := map[string]string{}
	for _, s := range course.Steps() {
		for level := range Levels {
			text := get(t, s.ID, level+1, nil)
			assert.Greater(t, strings.Count(text, "\n"), 3, "%s %d", s.ID, level+1)
			assert.Less(t, strings.Count(text, "\n"), 36, "%s %d", s.ID, level+1)
			assert.Empty(t, seen[text])
			seen[text] = s.ID
		}
	}
	assert.Len(t, seen, 27)
}

func TestReacts(t *testing.T) {
	const step = "03-mount"
	general := get(t, step, 1, nil)
	for _, c := range []struct {
		name   string
		failed progress.Failure
		want   string
	}{
		{"to the kernel's words", progress.Failure{
			Check:  "its root is the given directory",
			Kernel: "it said: 03-mount: pivot_root /tmp/x: invalid argument",
		}, "is `/` still *shared*?"},
		{"to a mistake, before all", progress.Failure{
			Check: "the old root is gone", Mistake: "root-left-shared",
			Kernel: "pivot_root: invalid argument",
		}, "Is `/` still shared inside?"},
		{"to a check", progress.Failure{Check: "the old root is gone"}, "MNT_DETACH"},
		{"to what any step may do", progress.Failure{
			Check: "x", Kernel: "it still ran after 30s",
		}, "does not end"},
		{"in the step's own way first", progress.Failure{
			Kernel: "pivot_root: device or resource busy: operation not permitted",
		}, "EBUSY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := get(t, step, 1, &c.failed)
			assert.Contains(t, text, c.want)
			assert.NotEqual(t, general, text)
			assert.Equal(t, get(t, step, 2, nil), get(t, step, 2, &c.failed), "the second does not")
		})
	}
	assert.Equal(t, general, get(t, step, 1, &progress.Failure{Check: "unheard of"}))
}

func TestNoSuchHint(t *testing.T) {
	h, err := Of("00-exec")
	require.NoError(t, err)
	for _, level := range []int{-1, 0, 4} {
		_, err := h.Get(level, nil)
		require.ErrorIs(t, err, ErrLevel)
	}
	_, err = Of("99-none")
	require.Error(t, err)
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no title":            "x\n",
		"an unknown section":  "# x\n\n## never\na\n",
		"an empty section":    "# x\n\n## check a\n\n",
		"an unfinished block": "# x\n\n## 1\n```console\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(text)
			assert.Error(t, err)
		})
	}
}

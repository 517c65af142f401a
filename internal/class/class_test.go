package class

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/course"
	"lab/internal/progress"
)

// report is that of a learner who passed the first steps and then failed.
func report(id string, passed int, check string) progress.Report {
	r := progress.Report{Kind: progress.Kind, Version: 1, ID: id, Passed: passed}
	for i, s := range course.Steps() {
		known := progress.StepReport{ID: s.ID, Passed: i < passed}
		if i == passed && check != "" {
			known.Failed, known.Check = true, check
		}
		r.Steps = append(r.Steps, known)
	}
	return r
}

// write writes a report into a directory.
func write(t *testing.T, dir, name string, r progress.Report) {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
}

// names returns who is in the class.
func names(c *Class) (all []string) {
	for _, l := range c.Learners {
		all = append(all, l.Name)
	}
	return all
}

// Twenty files, one of them damaged and one the second of the same learner, make a
// class of eighteen.
func TestClassOfTwenty(t *testing.T) {
	dir := t.TempDir()
	for i := range 18 {
		name := fmt.Sprintf("learner-%02d.json", i)
		write(t, dir, name, report(fmt.Sprint("id", i), i%9, "a check"))
	}
	write(t, dir, "again.json", report("id5", 7, "a check"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cut.json"),
		[]byte(`{"kind":"lab progress","steps":[{"id":"00-e`), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("not mine"), 0o644))

	c, err := Read(dir)
	require.NoError(t, err)
	assert.Len(t, c.Learners, 18)
	assert.Contains(t, names(c), "again", "of two the one with more steps counts")
	assert.NotContains(t, names(c), "learner-05")
	assert.Equal(t, []string{
		"cut.json: it is damaged: unexpected end of JSON input",
		"learner-05.json: the same learner as again.json, of whom 7 steps passed",
	}, c.LeftOut)

	troubles := c.Troubles()
	require.Len(t, troubles, 9)
	assert.Equal(t, "07-volumes", troubles[0].Step, "three are stuck there")
	assert.Equal(t, []string{"again", "learner-07", "learner-16"}, troubles[0].Names)
	assert.Equal(t, "00-exec", troubles[1].Step, "then in the order of the course")
}

func TestLeftOut(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"other JSON", `{"kind":"a shopping list"}`, "it is no report of lab progress --json"},
		{"a list", `[]`, "it is damaged: json: cannot unmarshal array"},
		{"nothing", ``, "it is damaged: unexpected end of JSON input"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "good.json", report("", 1, ""))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "odd.json"), []byte(c.text), 0o644))
			got, err := Read(dir)
			require.NoError(t, err)
			require.Len(t, got.LeftOut, 1)
			assert.Contains(t, got.LeftOut[0], "odd.json: "+c.want)
		})
	}
}

// A shell of Windows writes a mark before the text, and a report of a later lab
// may know more.
func TestOddButGood(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "win.json"),
		[]byte("\ufeff"+`{"kind":"lab progress","version":9,"passed":99,"more":1,`+
			`"steps":[{"id":"00-exec","passed":true},{"id":"77-new","passed":false}]}`), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dir.json"), 0o755))
	c, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"win"}, names(c))
	assert.Equal(t, 1, c.Learners[0].Report.Passed, "counted, not believed")
	assert.True(t, c.Learners[0].Step("00-exec").Passed)
	assert.False(t, c.Learners[0].Step("08-user").Passed)
	assert.Equal(t, []string{"dir.json: it is no report of lab progress --json"}, c.LeftOut)
}

func TestNobody(t *testing.T) {
	c, err := Read(t.TempDir())
	require.ErrorIs(t, err, ErrNone)
	assert.Empty(t, c.Learners)
	_, err = Read(filepath.Join(t.TempDir(), "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

package progress

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/course"
)

// home makes a home of its own and returns where its progress is.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("SUDO_UID", "")
	return filepath.Join(dir, ".local", "state", "lab", "progress")
}

// open opens the progress, which must work.
func open(t *testing.T) *File {
	t.Helper()
	f, err := Open()
	require.NoError(t, err)
	return f
}

// write puts a text where the progress is.
func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// content returns a file's text.
func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestNothingDoneYet(t *testing.T) {
	path := home(t)
	f := open(t)
	assert.False(t, f.Passed("01-uts"))
	assert.Empty(t, f.Notice())
	require.NoError(t, f.Save())
	assert.NoFileExists(t, path, "nothing was changed")
	next, ok := f.Next()
	assert.True(t, ok)
	assert.Equal(t, "00-exec", next.ID)
}

// What is noted is there for the next lab, and for a person to read.
func TestSaved(t *testing.T) {
	path := home(t)
	f := open(t)
	f.Run("00-exec")
	f.Pass("00-exec")
	f.Fail("02-pid", Failure{
		"orphans are reaped", "zombie-left", "PID 1 waits\nfor its own child only.",
		"state Z\x1b[2J",
	})
	f.SetHints("02-pid", 2)
	require.NoError(t, f.Save())
	require.Regexp(t, `^[0-9a-f]{8}$`, f.ID())
	assert.Equal(t, heading+`
version 1
id `+f.ID()+`
00-exec ran passed
02-pid failed hint-2
    check: orphans are reaped
    mistake: zombie-left
    diagnosis: PID 1 waits
    diagnosis: for its own child only.
    kernel: state Z?[2J
end
`, content(t, path))

	f = open(t)
	assert.True(t, f.Ran("00-exec"))
	assert.True(t, f.Passed("00-exec"))
	assert.False(t, f.Passed("02-pid"))
	assert.Equal(t, 2, f.Hints("02-pid"))
	failure, ok := f.LastFailure("02-pid")
	assert.True(t, ok)
	assert.Equal(t, Failure{
		"orphans are reaped", "zombie-left", "PID 1 waits\nfor its own child only.", "state Z?[2J",
	}, failure)
	next, _ := f.Next()
	assert.Equal(t, "01-uts", next.ID)
	current, _ := f.Current()
	assert.Equal(t, "02-pid", current.ID, "what failed comes first")
	id := f.ID()
	f.Run("01-uts")
	require.NoError(t, f.Save())
	assert.Equal(t, id, f.ID(), "the id stays")
}

// A pass that is found broken is pending again; hints begin anew with another
// mistake and after a pass.
func TestPassAndFail(t *testing.T) {
	home(t)
	f := open(t)
	f.Pass("03-mount")
	f.Fail("03-mount", Failure{Check: "a", Mistake: "x"})
	assert.False(t, f.Passed("03-mount"))
	f.SetHints("03-mount", 2)
	f.Fail("03-mount", Failure{Check: "b", Mistake: "x"})
	assert.Equal(t, 2, f.Hints("03-mount"), "the same mistake, seen by another check")
	f.Fail("03-mount", Failure{Check: "b", Mistake: "y"})
	assert.Zero(t, f.Hints("03-mount"))
	f.SetHints("03-mount", 1)
	f.Pass("03-mount")
	assert.Zero(t, f.Hints("03-mount"))
	_, failed := f.LastFailure("03-mount")
	assert.False(t, failed)
	f.Forget("03-mount")
	assert.False(t, f.Passed("03-mount"))
}

func TestAllPassed(t *testing.T) {
	home(t)
	f := open(t)
	for _, s := range course.Steps() {
		f.Pass(s.ID)
	}
	_, ok := f.Next()
	assert.False(t, ok)
}

// A person may write the file: what is understood counts, the rest stays.
func TestWrittenByHand(t *testing.T) {
	path := home(t)
	write(t, path, "# my notes\nran 00-exec\n"+
		" 01-uts   passed failed  passed later-word\r\nwhat is this\n")
	f := open(t)
	assert.Empty(t, f.Notice())
	assert.True(t, f.Ran("00-exec"), "as the first labs wrote it")
	assert.True(t, f.Passed("01-uts"), "the last word holds")
	f.Pass("02-pid")
	require.NoError(t, f.Save())
	assert.Equal(t, heading+"\nversion 1\nid "+f.ID()+"\n# my notes\nwhat is this\n"+
		"00-exec ran\n01-uts passed later-word\n02-pid passed\nend\n", content(t, path))
}

// A file that cannot be trusted is kept, said, and what can be read of it counts.
func TestDamaged(t *testing.T) {
	whole := heading + "\nversion 1\n00-exec passed\n01-uts passed\nend\n"
	for _, c := range []struct {
		name, text, notice string
		kept               bool // 00-exec is known to have passed
	}{
		{"cut in half", whole[:strings.Index(whole, "01-uts")+3], "ends in the middle", true},
		{"without its last line", strings.TrimSuffix(whole, "end\n"), "ends in the middle", true},
		{
			"from a newer lab", strings.Replace(whole, "version 1", "version 2", 1),
			"was written by a newer lab", false,
		},
		{"no text", whole + "\x00\xff\n", "holds what is no text", true},
		{"endless", whole + strings.Repeat("x", tooLarge), "is larger than any progress", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := home(t)
			write(t, path, c.text)
			write(t, path+".kept-1", "of another time")
			f := open(t)
			assert.Equal(t, path+" "+c.notice+"; it is kept as "+path+".kept-2", f.Notice())
			assert.Equal(t, c.text, content(t, path+".kept-2"))
			assert.Equal(t, "of another time", content(t, path+".kept-1"))
			assert.Equal(t, c.kept, f.Passed("00-exec"))

			f.Pass("02-pid")
			require.NoError(t, f.Save())
			f = open(t)
			assert.Empty(t, f.Notice(), "it is whole again")
			assert.True(t, f.Passed("02-pid"))
			assert.Equal(t, c.kept, f.Passed("00-exec"))
		})
	}
}

// However the file is cut, nothing breaks and nothing that was done is lost from
// the disk.
func TestCutAnywhere(t *testing.T) {
	path := home(t)
	f := open(t)
	f.Pass("00-exec")
	f.Fail("01-uts", Failure{"a", "b", "c", "d"})
	require.NoError(t, f.Save())
	whole := content(t, path)
	for n := range len(whole) {
		require.NoError(t, os.RemoveAll(filepath.Dir(path)))
		write(t, path, whole[:n])
		f := open(t)
		if strings.Contains(whole[:n], "version 1\n") {
			assert.Equal(t, whole[:n], content(t, path+".kept-1"), "%d bytes", n)
			assert.Contains(t, f.Notice(), "ends in the middle")
		}
	}
}

// Labs that write at the same time lose nothing of each other.
func TestManyWriters(t *testing.T) {
	home(t)
	var group sync.WaitGroup
	files := make([]*File, 30)
	for i := range files {
		files[i] = open(t) // all of them before the first has written
	}
	for i, f := range files {
		group.Go(func() {
			f.Pass(fmt.Sprintf("%02d-step", i))
			assert.NoError(t, f.Save())
		})
	}
	group.Wait()
	f := open(t)
	for i := range files {
		assert.True(t, f.Passed(fmt.Sprintf("%02d-step", i)), i)
	}
}

// What is no file is not read, and the error names it.
func TestNoOrdinaryFile(t *testing.T) {
	path := home(t)
	require.NoError(t, os.MkdirAll(path, 0o755))
	_, err := Open()
	require.ErrorContains(t, err, path+" is no ordinary file")
}

// Where the lock cannot be made, a damaged file is read and said, and stays.
func TestDamagedAndReadOnly(t *testing.T) {
	path := home(t)
	text := "version 1\n00-exec passed\n"
	write(t, path, text)
	require.NoError(t, os.Mkdir(path+".lock", 0o755))
	f := open(t)
	assert.Contains(t, f.Notice(), path+" cannot be trusted, and cannot be renamed: ")
	assert.True(t, f.Passed("00-exec"))
	f.Pass("01-uts")
	require.Error(t, f.Save())
	assert.Equal(t, text, content(t, path))
}

func TestStateHome(t *testing.T) {
	home(t)
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	assert.Equal(t, filepath.Join(dir, "lab", "progress"), open(t).Path())
	t.Setenv("XDG_STATE_HOME", "relative")
	assert.NotContains(t, open(t).Path(), "relative", "the specification says absolute")
}

func FuzzParse(f *testing.F) {
	f.Add(heading + "\nversion 1\n01-uts passed hint-2\n    check: x\nend\n")
	f.Add("ran 01-uts\n\tcheck: y\n")
	f.Fuzz(func(t *testing.T, text string) {
		now, damage := parse(text)
		if damage != "" {
			return
		}
		again, damage := parse(now.text())
		assert.Empty(t, damage)
		assert.Equal(t, now.text(), again.text(), "what is written is read the same")
	})
}

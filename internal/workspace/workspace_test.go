package workspace

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/course"
	"lab/internal/need"
)

// empty returns a workspace that is not there yet, in a directory of the test.
func empty(t *testing.T) *Workspace {
	t.Helper()
	w, err := Find(filepath.Join(t.TempDir(), "workspace"))
	require.NoError(t, err)
	return w
}

// started returns a workspace with some steps that begin as the reference.
func started(t *testing.T, steps ...string) *Workspace {
	t.Helper()
	w := empty(t)
	for _, step := range steps {
		_, err := w.Start(t.Context(), step, Reference)
		require.NoError(t, err)
	}
	return w
}

// edit replaces a text in a file of the workspace.
func edit(t *testing.T, path, old, now string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), old), old)
	text = []byte(strings.Replace(string(text), old, now, 1))
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

func TestFind(t *testing.T) {
	top := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(top, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("course/go.mod", "module lab\n\ngo 1.26\n")
	write("course/steps/03-mount/main.go", "package main\n")
	write("home/workspace/go.mod", "// mine\nmodule workspace\n")
	write("home/workspace/03-mount/main.go", "package main\n")
	write("home/other/workspace/notes", "not a module\n")
	write("renamed/go.mod", "module workspace\n")
	tests := []struct{ name, in, variable, flag, want string }{
		{"the flag", "home", "elsewhere", "given", "home/given"},
		{"the variable", "home", filepath.Join(top, "elsewhere"), "", "elsewhere"},
		{"beside the working directory", "home", "", "", "home/workspace"},
		{"beside one above", "home/other", "", "", "home/workspace"},
		{"inside of it", "home/workspace/03-mount", "", "", "home/workspace"},
		{"inside of one with another name", "renamed", "", "", "renamed"},
		{"none yet, in a checkout", "course/steps/03-mount", "", "", "course/workspace"},
		{"none yet", "", "", "", "workspace"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(filepath.Join(top, tt.in))
			t.Setenv(Variable, tt.variable)
			w, err := Find(tt.flag)
			require.NoError(t, err)
			assert.Equal(t, filepath.Join(top, tt.want), w.Dir)
		})
	}
}

// Every step compiles as it begins, with nothing but what the workspace has.
func TestSkeletonsBuild(t *testing.T) {
	need.Go(t)
	w := empty(t)
	for _, s := range course.Steps() {
		made, err := w.Start(t.Context(), s.ID, Reference)
		require.NoError(t, err)
		assert.Equal(t, Reference, made.From)
		assert.NotEmpty(t, made.Todo)
	}
	vet(t, w)
	// Whether it would compile there shows lint; here, that no package is missing.
	goTool(t, w, "arm64", "list", "-deps", "./...")
	last := course.Steps()[len(course.Steps())-1].ID
	out := filepath.Join(t.TempDir(), last)
	require.NoError(t, w.Build(t.Context(), last, out))
	info, err := os.Stat(out)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o111)
}

// vet has all programs of a workspace compiled, without linking them, and vetted.
func vet(t *testing.T, w *Workspace) {
	t.Helper()
	goTool(t, w, runtime.GOARCH, "vet", "./...")
}

// goTool runs the go command in a workspace, as a learner would, and as the lab
// builds, so that the cache serves both.
func goTool(t *testing.T, w *Workspace, arch string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), need.Go(t), args...)
	cmd.Dir = w.Dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOPROXY=off", "CGO_ENABLED=0",
		"GOARCH="+arch)
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s on %s: %s", args, arch, text)
}

// When the edits of START.md are made, it compiles as well: what is left to do
// is what the new files leave open.
func TestEditedSkeletonsBuild(t *testing.T) {
	need.Go(t)
	w := empty(t)
	eachStep(t, func(t *testing.T, step string, parent, reference Files) {
		_, err := w.Start(t.Context(), step, Reference)
		require.NoError(t, err)
		for name := range parent {
			path := filepath.Join(w.StepDir(step), name)
			require.NoError(t, os.WriteFile(path, reference[name], 0o600))
		}
		if step == "04-net" {
			edit(t, filepath.Join(w.StepDir(step), "errors.go"),
				"var errNoNftables = errors.New(\"this kernel has no nftables\")\n", "")
		}
	})
	vet(t, w)
}

func TestStartCarriesTheLearnersProgram(t *testing.T) {
	need.Go(t)
	w := started(t, "00-exec")
	mine := filepath.Join(w.StepDir("00-exec"), "main.go")
	edit(t, mine, "// run is the whole life", "// run is, as I see it, the whole life")
	for name, text := range map[string]string{
		"notes.go": "package main\n", "main_test.go": "package main\n", "00-exec": "a program",
	} {
		path := filepath.Join(w.StepDir("00-exec"), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}

	made, err := w.Start(t.Context(), "01-uts", Auto)

	require.NoError(t, err)
	assert.Equal(t, Mine, made.From)
	assert.Equal(t, []string{"Hostname"}, made.Fields)
	text, err := os.ReadFile(filepath.Join(made.Dir, "main.go"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "as I see it")
	assert.FileExists(t, filepath.Join(made.Dir, "notes.go"))
	assert.NoFileExists(t, filepath.Join(made.Dir, "main_test.go"))
	assert.NoFileExists(t, filepath.Join(made.Dir, "00-exec"))
	guide, err := os.ReadFile(filepath.Join(made.Dir, "START.md"))
	require.NoError(t, err)
	assert.Contains(t, string(guide), "begins as your 00-exec")
}

func TestStartWithoutTheParentBeginsAsTheReference(t *testing.T) {
	w := empty(t)
	made, err := w.Start(t.Context(), "02-pid", Auto)
	require.NoError(t, err)
	assert.Equal(t, Reference, made.From)
	assert.Equal(t, "01-uts", made.Parent)
	_, err = w.Start(t.Context(), "05-cgroups", Mine)
	require.ErrorIs(t, err, ErrNotStarted)
	assert.False(t, w.Has("05-cgroups"))
}

func TestStartNeverOverwrites(t *testing.T) {
	w := started(t, "01-uts")
	path := filepath.Join(w.StepDir("01-uts"), "init.go")
	edit(t, path, "initialize is not written yet", "half done")
	_, err := w.Start(t.Context(), "01-uts", Reference)
	require.ErrorIs(t, err, ErrExists)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), "half done")

	require.NoError(t, os.WriteFile(w.StepDir("02-pid"), []byte("a file"), 0o600))
	_, err = w.Start(t.Context(), "02-pid", Reference)
	require.ErrorIs(t, err, ErrExists)
	assert.FileExists(t, w.StepDir("02-pid"))
}

// A program that the new files do not fit is told, and nothing is made; who
// insists gets it.
func TestStartOfAnUnfitProgram(t *testing.T) {
	need.Go(t)
	tests := []struct{ name, file, old, now, says string }{
		{
			"it does not compile", "main.go", "c.signals = listen()", "c.signals = lissten()",
			"main.go:81:14: undefined: lissten",
		},
		{
			"it has a name of the new files", "signals.go", "// typed reports",
			"func setHostname() {}\n\n// typed reports", "setHostname redeclared in this block",
		},
		{
			"it has no container", "main.go", "type container struct {\n\tCommand []string",
			"type container = box\n\ntype box struct {\n\tCommand []string", errNoContainer.Error(),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := empty(t)
			require.NoError(t, w.mkdir(w.StepDir("00-exec")))
			reference, err := ReferenceOf("00-exec")
			require.NoError(t, err)
			for name, text := range reference {
				require.NoError(t, w.writeFile(filepath.Join(w.StepDir("00-exec"), name), text))
			}
			edit(t, filepath.Join(w.StepDir("00-exec"), tt.file), tt.old, tt.now)

			_, err = w.Start(t.Context(), "01-uts", Auto)

			unfit, ok := errors.AsType[*UnfitError](err)
			require.True(t, ok, "%v", err)
			assert.Contains(t, unfit.Error(), tt.says)
			assert.NotContains(t, unfit.Error(), "\n")
			assert.False(t, w.Has("01-uts"))
			assert.NoDirExists(t, w.StepDir("01-uts.part"))
		})
	}
}

func TestStartInsistsOnMine(t *testing.T) {
	w := started(t, "00-exec")
	edit(t, filepath.Join(w.StepDir("00-exec"), "main.go"), "parse(args)", "pars(args)")
	made, err := w.Start(t.Context(), "01-uts", Mine)
	require.NoError(t, err)
	assert.Equal(t, Mine, made.From)
	assert.True(t, w.Has("01-uts"))
}

func TestStartWhereNothingCanBeWritten(t *testing.T) {
	t.Run("a file is in the way", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		w, err := Find(path)
		require.NoError(t, err)
		_, err = w.Start(t.Context(), "00-exec", Auto)
		require.ErrorContains(t, err, path+": there is a file of that name")
		assert.NotContains(t, err.Error(), "\n")
	})
	t.Run("the directory is another module", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "go.mod")
		require.NoError(t, os.WriteFile(path, []byte("module other\n"), 0o600))
		w, err := Find(dir)
		require.NoError(t, err)
		_, err = w.Start(t.Context(), "00-exec", Auto)
		require.ErrorContains(t, err, "is the module other, not a workspace")
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, entries, 1)
	})
}

// A start that was killed leaves parts, which the next one takes no harm from.
func TestStartAfterAKilledOne(t *testing.T) {
	w := empty(t)
	for _, part := range []string{".vendor.part", "00-exec.part"} {
		dir := filepath.Join(w.Dir, part)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "half"), nil, 0o600))
	}
	_, err := w.Start(t.Context(), "00-exec", Auto)
	require.NoError(t, err)
	entries, err := os.ReadDir(w.Dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{"00-exec", "go.mod", "vendor"}, names)
	assert.NoFileExists(t, filepath.Join(w.StepDir("00-exec"), "half"))
}

func TestBuildSaysWhatTheCompilerSays(t *testing.T) {
	need.Go(t)
	w := started(t, "00-exec")
	out := filepath.Join(t.TempDir(), "program")
	require.ErrorIs(t, w.Build(t.Context(), "01-uts", out), ErrNotStarted)

	main := filepath.Join(w.StepDir("00-exec"), "main.go")
	edit(t, main, "c.Command = flags.Args()", "c.Comand = flags.Args()")
	failed, ok := errors.AsType[*BuildError](w.Build(t.Context(), "00-exec", out))
	require.True(t, ok)
	assert.Contains(t, failed.Output, "00-exec/main.go:68:7: c.Comand undefined")

	for name := range stubFiles(t, "00-exec") {
		require.NoError(t, os.Remove(filepath.Join(w.StepDir("00-exec"), name)))
	}
	edit(t, filepath.Join(w.StepDir("00-exec"), "errors.go"), "package main", "package other")
	failed, ok = errors.AsType[*BuildError](w.Build(t.Context(), "00-exec", out))
	require.True(t, ok)
	assert.Contains(t, failed.Output, "package other is not a program")

	require.NoError(t, os.Remove(filepath.Join(w.StepDir("00-exec"), "errors.go")))
	failed, ok = errors.AsType[*BuildError](w.Build(t.Context(), "00-exec", out))
	require.True(t, ok)
	assert.Contains(t, failed.Output, "no Go files")
	assert.NoFileExists(t, out)
}

// What was removed by mistake is written again.
func TestBuildWithoutVendor(t *testing.T) {
	need.Go(t)
	w := started(t, "00-exec")
	require.NoError(t, os.RemoveAll(filepath.Join(w.Dir, "vendor")))
	require.NoError(t, os.Remove(filepath.Join(w.Dir, "go.mod")))
	require.NoError(t, w.Build(t.Context(), "00-exec", filepath.Join(t.TempDir(), "program")))
}

func TestReset(t *testing.T) {
	w := started(t, "00-exec")
	path := filepath.Join(w.StepDir("00-exec"), "main.go")
	for n, word := range []string{"first", "second"} {
		edit(t, path, "start is not written yet", word)
		backup, made, err := w.Reset(t.Context(), "00-exec", Auto)
		require.NoError(t, err)
		assert.Equal(t, w.StepDir("00-exec"), made.Dir)
		assert.Equal(t, filepath.Join(w.Dir, Backup, []string{"00-exec-1", "00-exec-2"}[n]), backup)
		text, err := os.ReadFile(filepath.Join(backup, "main.go"))
		require.NoError(t, err)
		assert.Contains(t, string(text), word)
		text, err = os.ReadFile(path)
		require.NoError(t, err)
		assert.Contains(t, string(text), "start is not written yet")
	}
	_, _, err := w.Reset(t.Context(), "01-uts", Auto)
	require.ErrorIs(t, err, ErrNotStarted)
}

// What cannot begin anew stays where it is.
func TestResetPutsBackWhatItCannotReplace(t *testing.T) {
	w := started(t, "01-uts")
	_, _, err := w.Reset(t.Context(), "01-uts", Mine) // there is no 00-exec
	require.ErrorIs(t, err, ErrNotStarted)
	assert.True(t, w.Has("01-uts"))
}

func TestDiffLeadsToTheReference(t *testing.T) {
	w := started(t, "00-exec")
	text, err := w.Diff("00-exec")
	require.NoError(t, err)
	assert.Contains(t, text, "--- yours/00-exec/main.go\n+++ reference/00-exec/main.go\n")
	assert.Contains(t, text, "-\treturn errors.New(\"start is not written yet\")\n")
	assert.Contains(t, text, "+\tc.signals = listen()\n")
	assert.NotContains(t, text, "errors.go")
	reference, err := ReferenceOf("00-exec")
	require.NoError(t, err)
	for name, text := range reference {
		require.NoError(t, os.WriteFile(filepath.Join(w.StepDir("00-exec"), name), text, 0o600))
	}
	text, err = w.Diff("00-exec")
	require.NoError(t, err)
	assert.Empty(t, text)
	_, err = w.Diff("03-mount")
	require.ErrorIs(t, err, ErrNotStarted)
}

// A file of the learner's that is no program is refused in one line.
func TestOwnRefusesWhatIsNoProgram(t *testing.T) {
	w := started(t, "00-exec")
	path := filepath.Join(w.StepDir("00-exec"), "main.go")
	require.NoError(t, os.Truncate(path, maxFile+1))
	_, err := w.Own("00-exec")
	require.ErrorContains(t, err, "main.go has 1048577 bytes")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink("/etc/shadow", path))
	own, err := w.Own("00-exec")
	require.NoError(t, err)
	assert.NotContains(t, own, "main.go")
	_, err = os.Lstat(path)
	require.NotErrorIs(t, err, fs.ErrNotExist)
}

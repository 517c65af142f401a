//go:build linux

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/cgroupview"
	"lab/internal/isolation"
	"lab/internal/layers"
	"lab/internal/mountview"
	"lab/internal/nsview"
)

// keys returns the JSON keys of a type and of all types in it.
func keys(of reflect.Type) []string {
	switch of.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Map:
		return keys(of.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var found []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		found = append(append(found, name), keys(field.Type)...)
	}
	return found
}

// Every key that --json prints is described, in the section of its command.
func TestJSONIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/json.md")
	require.NoError(t, err)
	sections := map[string]string{}
	for section := range strings.SplitSeq(string(text), "\n## ") {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	for command, document := range map[string]any{
		"`lab ns`": nsview.Document{}, "`lab inspect`": isolation.Document{},
		"`lab mounts`": mountview.Document{}, "`lab cgroup`": []cgroupview.Document{},
		"`lab layers`": layers.Document{},
	} {
		require.Contains(t, sections, command)
		found := keys(reflect.TypeOf(document))
		require.NotEmpty(t, found)
		for _, key := range found {
			assert.Contains(t, sections[command], "`"+key+"`", "%s of %s", key, command)
		}
	}
}

// There is a page for every command that people are told of, and none for others.
func TestReference(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lab-gone.md"), nil, 0o600))
	_, stderr, status := lab(t, "reference", dir)
	require.Zero(t, status, stderr)
	assert.NoFileExists(t, filepath.Join(dir, "lab-gone.md"))
	assert.NoFileExists(t, filepath.Join(dir, "lab-reference.md"))

	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	root := newRoot()
	for _, c := range documented(root) {
		assert.Contains(t, string(index), "["+"`"+c.CommandPath()+"`]("+pageName(c)+")")
		text, err := os.ReadFile(filepath.Join(dir, pageName(c)))
		require.NoError(t, err)
		for _, want := range []string{
			"# " + c.CommandPath() + "\n", c.Short, unindent(c.Example),
			c.NonInheritedFlags().FlagUsages(),
		} {
			assert.Contains(t, string(text), want, c.CommandPath())
		}
	}
}

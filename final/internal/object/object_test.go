package object

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// moment has what the specification's types lack.
type moment struct {
	At     time.Time
	Note   string `json:"note,omitempty"`
	Hidden string `json:"-"`
	secret string
}

// configurations are those of the tests of package plan.
func configurations(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../plan/testdata/*.json")
	require.NoError(t, err)
	all := map[string][]byte{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all[filepath.Base(path)] = text
	}
	require.Greater(t, len(all), 5)
	return all
}

// Configurations are read and written as encoding/json does.
func TestAsPackageJSON(t *testing.T) {
	for name, text := range configurations(t) {
		var want, got, again specs.Spec
		require.NoError(t, json.Unmarshal(text, &want))
		require.NoError(t, Read(text, &got), name)
		assert.Equal(t, want, got, name)

		written, err := Write(got)
		require.NoError(t, err, name)
		expected, err := json.Marshal(want)
		require.NoError(t, err)
		assert.JSONEq(t, string(expected), string(written), name)
		require.NoError(t, Read(written, &again))
		assert.Equal(t, want, again, name)
	}
}

func TestMoment(t *testing.T) {
	m := moment{At: time.Unix(1, 2).UTC(), Hidden: "a", secret: "b"}
	text, err := Write(&m)
	require.NoError(t, err)
	assert.JSONEq(t, `{"At": "1970-01-01T00:00:01.000000002Z"}`, string(text))
	var back moment
	require.NoError(t, Read([]byte(`{"Hidden": "x", "secret": "x", "-": "x", "note": null,`+
		string(text)[1:]), &back))
	assert.Equal(t, moment{At: m.At}, back)
}

// The largest numbers arrive whole.
func TestLargeNumbers(t *testing.T) {
	var limits specs.LinuxMemory
	require.NoError(t, Read([]byte(`{"limit": 9223372036854771713}`), &limits))
	assert.EqualValues(t, 9223372036854771713, *limits.Limit)
}

func TestWhatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"hostname": 1}`:                     ".hostname: a number, which is no string",
		`{"process": {"args": "x"}}`:          ".process.args: a string, which is no []string",
		`{"process": {"args": [1]}}`:          ".process.args: a number, which is no string",
		`{"process": {"user": {"uid": -1}}}`:  ".process.user.uid: a number, which is no uint32",
		`{"process": {"user": {"uid": 1.5}}}`: ".process.user.uid: a number, which is no uint32",
		`{"process": {"terminal": {}}}`:       ".process.terminal: a object, which is no bool",
		`{"annotations": {"a": true}}`:        ".annotations.a: a bool, which is no string",
		`{"linux": []}`:                       ".linux: a array, which is no specs.Linux",
		`7`:                                   ".: a number, which is no specs.Spec",
		``:                                    "unexpected end of JSON input",
		`{"hostname": "a"`:                    "unexpected end of JSON input",
		`{} {}`:                               "invalid character '{' after top-level value",
		`{"a": 1}}`:                           "invalid character '}' after top-level value",
	} {
		require.EqualError(t, Read([]byte(text), &specs.Spec{}), want, text)
	}
	_, err := Write(struct{ C chan int }{make(chan int)})
	require.EqualError(t, err, "JSON has no chan int")
}

// Whatever is read without an error is read again from what is written of it, and nothing
// is a panic.
func FuzzRead(f *testing.F) {
	for _, text := range configurations(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second specs.Spec
		if Read(text, &first) != nil {
			return
		}
		require.True(t, json.Valid(text))
		written, err := Write(first)
		require.NoError(t, err)
		require.NoError(t, Read(written, &second))
		again, err := Write(second)
		require.NoError(t, err)
		require.Equal(t, string(written), string(again))
	})
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// judge runs a lane over input and returns its report, without the times.
func judge(t *testing.T, o options, input string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(o, strings.NewReader(input), &out)
	return out.String(), err
}

// listOf writes a list of skips and returns its path.
func listOf(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "skips")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644))
	return path
}

// One package with a test that passes, one with two subtests of which one is
// skipped, and one that is skipped by a helper with a longer message.
const mixed = `{"Action":"start","Package":"lab/a"}
{"Action":"run","Package":"lab/a","Test":"TestOne"}
{"Action":"output","Package":"lab/a","Test":"TestOne","Output":"=== RUN   TestOne\n"}
{"Action":"output","Package":"lab/a","Test":"TestOne","Output":"a word of TestOne\n"}
{"Action":"pass","Package":"lab/a","Test":"TestOne","Elapsed":0}
{"Action":"run","Package":"lab/a","Test":"TestTwo"}
{"Action":"run","Package":"lab/a","Test":"TestTwo/x"}
{"Action":"pass","Package":"lab/a","Test":"TestTwo/x","Elapsed":0}
{"Action":"run","Package":"lab/a","Test":"TestTwo/y"}
{"Action":"output","Package":"lab/a","Test":"TestTwo/y","Output":"    a_test.go:9: a log line\n"}
{"Action":"output","Package":"lab/a","Test":"TestTwo/y","Output":"    a_test.go:9: needs a: b\n"}
{"Action":"output","Package":"lab/a","Test":"TestTwo/y","Output":"        and c\n"}
{"Action":"output","Package":"lab/a","Test":"TestTwo/y","Output":"    --- SKIP: TestTwo/y (0s)\n"}
{"Action":"skip","Package":"lab/a","Test":"TestTwo/y","Elapsed":0}
{"Action":"pass","Package":"lab/a","Test":"TestTwo","Elapsed":0}
{"Action":"output","Package":"lab/a","Output":"PASS\n"}
{"Action":"pass","Package":"lab/a","Elapsed":0}
`

func TestLaneCountsLeaves(t *testing.T) {
	out, err := judge(t, options{name: "x"}, mixed)
	require.NoError(t, err)
	assert.Contains(t, out, "lane x: 2 run, 1 skipped\n")
	assert.Contains(t, out, "  skipped: lab/a TestTwo/y: needs a: b and c\n")
	assert.NotContains(t, out, "a word of TestOne", "output of a test that passed")

	out, err = judge(t, options{name: "x", verbose: true}, mixed)
	require.NoError(t, err)
	assert.Contains(t, out, "a word of TestOne")
}

func TestLaneHoldsItsSkipsToTheList(t *testing.T) {
	const skip = "lab/a TestTwo/y: needs a: b and c"
	tests := []struct {
		name string
		list []string
		want string // a line of the report; the lane is good if empty
	}{
		{"the list is true", []string{"# a reason", "", skip}, ""},
		{"a skip is not listed", nil, "  not in LIST: " + skip},
		{
			"a listed skip did not happen",
			[]string{skip, "lab/b TestGone: needs z"},
			"  in LIST and did not happen: lab/b TestGone: needs z",
		},
		{
			"the reason is another",
			[]string{"lab/a TestTwo/y: needs d"},
			"  not in LIST: " + skip,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := listOf(t, tt.list...)
			out, err := judge(t, options{name: "x", skips: list}, mixed)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, errLane)
			assert.Contains(t, out, strings.ReplaceAll(tt.want, "LIST", list)+"\n")
		})
	}
}

func TestLaneNeedsItsList(t *testing.T) {
	_, err := judge(t, options{skips: filepath.Join(t.TempDir(), "none")}, mixed)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// failures are inputs of lanes that fail and lines of their reports.
var failures = []struct {
	name, input string
	want        []string
}{
	{
		"a test fails and its output is shown",
		`{"Action":"run","Package":"lab/a","Test":"TestX"}
{"Action":"output","Package":"lab/a","Test":"TestX","Output":"    a_test.go:3: broken\n"}
{"Action":"fail","Package":"lab/a","Test":"TestX"}
{"Action":"fail","Package":"lab/a"}
`,
		[]string{
			"    a_test.go:3: broken\n", "  failed: lab/a TestX\n",
			"lane x: 1 run, 0 skipped, 1 failed\n",
		},
	},
	{
		"a failing subtest counts once",
		`{"Action":"run","Package":"lab/a","Test":"TestX"}
{"Action":"run","Package":"lab/a","Test":"TestX/y"}
{"Action":"fail","Package":"lab/a","Test":"TestX/y"}
{"Action":"fail","Package":"lab/a","Test":"TestX"}
{"Action":"fail","Package":"lab/a"}
`,
		[]string{"  failed: lab/a TestX/y\n", "lane x: 1 run, 0 skipped, 1 failed\n"},
	},
	{
		"all tests pass and the package fails",
		`{"Action":"run","Package":"lab/a","Test":"TestX"}
{"Action":"pass","Package":"lab/a","Test":"TestX"}
{"Action":"output","Package":"lab/a","Output":"a mount is left\n"}
{"Action":"fail","Package":"lab/a"}
`,
		[]string{"a mount is left\n", "  failed: lab/a: the package itself\n"},
	},
	{
		"a package does not build",
		`{"ImportPath":"lab/a [lab/a.test]","Action":"build-output","Output":"a.go:1: no\n"}
{"ImportPath":"lab/a [lab/a.test]","Action":"build-fail"}
{"Action":"output","Package":"lab/a","Output":"FAIL\tlab/a [build failed]\n"}
{"Action":"fail","Package":"lab/a","FailedBuild":"lab/a [lab/a.test]"}
`,
		[]string{"a.go:1: no\n", "  failed: lab/a: the package itself\n"},
	},
	{
		"the input ends in a test",
		`{"Action":"run","Package":"lab/a","Test":"TestX"}
{"Action":"output","Package":"lab/a","Test":"TestX","Output":"so far\n"}
`,
		[]string{"so far\n", "  failed: lab/a TestX\n"},
	},
	{"no test ran", "go: no such tool\n", []string{"go: no such tool\n", "FAIL no test ran\n"}},
}

func TestLaneFails(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			out, err := judge(t, options{name: "x"}, tt.input)
			require.ErrorIs(t, err, errLane)
			for _, want := range tt.want {
				assert.Contains(t, out, want)
			}
		})
	}
}

func TestSkipReason(t *testing.T) {
	tests := []struct {
		name   string
		output []string
		want   string
	}{
		{"nothing", []string{"=== RUN   T\n", "--- SKIP: T (0s)\n"}, "no reason given"},
		{"an empty reason", []string{"    a_test.go:1: \n"}, "no reason given"},
		{"the last entry", []string{"    a_test.go:1: x\n", "    a_test.go:2: y\n"}, "y"},
		{
			"testscript logs the script after the skip",
			[]string{
				"    testscript.go:558: needs root\n",
				"    testscript.go:609: # The first phase.\n", "        > skip 'needs root'\n",
			},
			"needs root",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, skipReason(tt.output))
		})
	}
}

func TestTotalsAreAppended(t *testing.T) {
	totals := filepath.Join(t.TempDir(), "totals")
	for range 2 {
		_, err := judge(t, options{totals: totals}, mixed)
		require.NoError(t, err)
	}
	text, err := os.ReadFile(totals)
	require.NoError(t, err)
	assert.Equal(t, "2 0 1\n2 0 1\n", string(text))
}

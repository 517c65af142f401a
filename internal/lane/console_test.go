package main

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needTest2json skips where there is no Go toolchain; a lane is never judged in
// such a place.
func needTest2json(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the Go toolchain: go tool test2json")
	}
}

func TestConsole(t *testing.T) {
	needTest2json(t)
	const one = "##lane package lab/a\r\n\x16=== RUN   TestX\r\n"
	tests := []struct {
		name, input string
		good        bool
		want        []string
	}{
		{
			"a binary that passes, between lines of the kernel",
			"booting\r\n" + one + "\x16--- PASS: TestX (0.00s)\r\n\x16PASS\r\n" +
				"##lane exit 0\r\n##lane end\r\n",
			true,
			[]string{"booting\n", "lane x: 1 run, 0 skipped\n"},
		},
		{
			"a test that fails",
			one + "    a_test.go:3: broken\r\n\x16--- FAIL: TestX (0.00s)\r\n\x16FAIL\r\n" +
				"##lane exit 1\r\n##lane end\r\n",
			false,
			[]string{"a_test.go:3: broken\n", "  failed: lab/a TestX\n"},
		},
		{
			"a binary that says PASS and ends with status 1",
			one + "\x16--- PASS: TestX (0.00s)\r\n\x16PASS\r\n##lane exit 1\r\n##lane end\r\n",
			false,
			[]string{"exit status 1\n", "  failed: lab/a: the package itself\n"},
		},
		{
			"a kernel that panics in a test",
			one + "Kernel panic - not syncing\r\n",
			false,
			[]string{
				"Kernel panic - not syncing\n", "FAIL the console ended before",
				"  failed: lab/a TestX\n",
			},
		},
		{
			"a machine that is lost between two tests",
			one + "\x16--- PASS: TestX (0.00s)\r\n\x16PASS\r\n##lane exit 0\r\n",
			false,
			[]string{"FAIL the console ended before"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := judge(t, options{name: "x", console: true}, tt.input)
			if tt.good {
				require.NoError(t, err, out)
			} else {
				require.ErrorIs(t, err, errLane, out)
			}
			for _, want := range tt.want {
				assert.Contains(t, out, want)
			}
		})
	}
}

// A binary's time is the one that its last mark tells.
func TestConsoleTime(t *testing.T) {
	needTest2json(t)
	out, err := judge(t, options{name: "x", console: true}, "##lane package lab/a\r\n"+
		"\x16=== RUN   TestX\r\n\x16--- PASS: TestX (0.00s)\r\n\x16PASS\r\n"+
		"##lane exit 0 75\r\n##lane end\r\n")
	require.NoError(t, err)
	assert.Contains(t, out, "1 run, 0 skipped  1m15s\n")
}

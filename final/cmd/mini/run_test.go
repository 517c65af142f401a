package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrongUsageIsOneLineAndAHint(t *testing.T) {
	m := newMini(t)
	for _, tt := range []struct {
		name string
		args []string
		want result
	}{
		{
			"an unknown verb",
			[]string{"verson"},
			result{"", "mini: usage: there is no verb \"verson\"\nhint: mini version\n", 2},
		},
		{
			"an unknown flag",
			[]string{"version", "--nonsense"},
			result{"", "mini: usage: unknown flag: --nonsense\nhint: mini version --help\n", 2},
		},
		{
			"an argument too many",
			[]string{"version", "x"},
			result{"", "mini: usage: mini version takes no arguments, not 1\n" +
				"hint: mini version\n", 2},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, m.do(tt.args...))
		})
	}
}

// What the command's end is, is ours.
func TestRunPassesTheStatusOn(t *testing.T) {
	m := newMini(t)
	for _, tt := range []struct {
		name    string
		command []string
		status  int
		said    string
	}{
		{"success", []string{"true"}, 0, ""},
		{"a status", []string{"sh", "-c", "exit 7"}, 7, ""},
		{"a signal", []string{"sh", "-c", "sh -c 'kill -9 $$'; exit $?"}, 137, ""},
		{"no such program", []string{"nosuch"}, 127, `"nosuch"`},
		{"what cannot be executed", []string{"/etc"}, 126, `"/etc"`},
		{"what may not be executed", []string{"/etc/passwd"}, 126, `"/etc/passwd"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := m.do(append([]string{"run", "--rm", "base"}, tt.command...)...)
			assert.Equal(t, tt.status, r.status, r.err)
			if !ownWords() {
				assert.Contains(t, r.err, tt.said)
			}
			assert.LessOrEqual(t, strings.Count(r.err, "\n"), 1)
			m.empty()
		})
	}
}

// What mini itself cannot do is 125, and nothing is left of it.
func TestRunRefuses(t *testing.T) {
	m := newMini(t)
	for _, tt := range []struct {
		name string
		args []string
		said string
	}{
		{"no image", []string{"run"}, "mini run takes at least one argument"},
		{"an unknown image", []string{"run", "webb"}, `image "webb"`},
		{"an unknown flag", []string{"run", "--nonsense", "base"}, "--nonsense"},
		{"a name that is none", []string{"run", "--name", "-x", "base"}, `name "-x"`},
		{"a user that is not there", []string{"run", "--rm", "-u", "nemo", "base"}, `"nemo"`},
		{
			"a runtime that is not there",
			[]string{"--runtime", "nosuch", "run", "base"},
			`runtime "nosuch"`,
		},
		{"a variable without a name", []string{"run", "-e", "=x", "base"}, `"=x"`},
		{
			"a missing file of variables",
			[]string{"run", "--env-file", "/nosuch", "base"},
			"/nosuch",
		},
		{"keys that are none", []string{"run", "--detach-keys", "ctrl-", "base"}, `"ctrl-"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := m.do(tt.args...)
			assert.Equal(t, 125, r.status)
			assert.Contains(t, r.err, tt.said)
			assert.Empty(t, r.out)
			m.empty()
		})
	}
}

// The three files of the command are ours, to the last byte.
func TestRunStreams(t *testing.T) {
	m := newMini(t)
	m.input = strings.Repeat("0123456789abcdef\n", 20000)
	r := m.do("run", "--rm", "-i", "base", "cat")
	assert.Equal(t, m.input, r.out)
	assert.Empty(t, r.err)

	r = m.do("run", "--rm", "base", "cat")
	assert.Empty(t, r.out, "without -i there is no input")

	r = m.do("run", "--rm", "base", "sh", "-c", "echo out; echo err >&2; printf end")
	assert.Equal(t, result{"out\nend", "err\n", 0}, r)
}

// What the flags say is what the command finds.
func TestRunFlags(t *testing.T) {
	m := newMini(t)
	m.env = []string{"PASSED=on"}
	file := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(file, []byte("# of a file\nA=file\nB=file\nPASSED\n"), 0o600))
	for _, tt := range []struct {
		name  string
		flags []string
		do    string
		want  string
	}{
		{
			"variables",
			[]string{"--env-file", file, "-e", "B=2 3", "-e", "PASSED", "-e", "NOT_THERE"},
			`echo "$A,$B,$PASSED,${NOT_THERE-none}"`, "file,2 3,on,none",
		},
		{
			"the surroundings",
			[]string{"--hostname", "h"},
			`echo "$HOME $HOSTNAME"; hostname`,
			"/root h\nh",
		},
		{"a working directory that is made", []string{"-w", "/a/b"}, "pwd", "/a/b"},
		{
			"a root that is not written to",
			[]string{"--read-only", "--tmpfs", "/mem"},
			"echo x > /mem/x && cat /mem/x; echo x 2>/dev/null > /x || echo refused", "x\nrefused",
		},
		{"an entry point", []string{"--entrypoint", "echo"}, "", "-c"},
		{"pid 1", nil, "echo $$", "1"},
		{
			"names of its own", nil, "cat /etc/hostname | wc -c; head -n 1 /etc/hosts",
			"13\n127.0.0.1\tlocalhost",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"run", "--rm"}, tt.flags...)
			args = append(args, "base")
			if tt.name != "an entry point" {
				args = append(args, "sh")
			}
			out := strings.TrimSuffix(m.ok(append(args, "-c", tt.do)...), " ")
			assert.Equal(t, tt.want, out)
		})
	}
}

// A container that was told to go on does, and its record is there when it has ended.
func TestRunDetached(t *testing.T) {
	m := newMini(t)
	id := m.ok("run", "-d", "--name", "web", "base", "sh", "-c", "exec sleep 1000")
	assert.Len(t, id, 64)
	r := m.do("run", "--name", "web", "base", "true")
	assert.Equal(t, 125, r.status)
	assert.Contains(t, r.err, `name "web"`)
}

//go:build linux

package stage

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// A line of /proc/PID/maps is understood, and what is none is refused.
func TestParsePart(t *testing.T) {
	const read, write, execute = unix.PROT_READ, unix.PROT_WRITE, unix.PROT_EXEC
	for line, want := range map[string]part{
		"00400000-00599000 r-xp 00000000 fe:00 263254    /usr/bin/minirun\n": {
			0x400000, 0x199000, 0, read | execute,
		},
		"7ffd0000-7ffd2000 rw-p 0001c000 00:2b 7  /a b/c (deleted)\n": {
			0x7ffd0000, 0x2000, 0x1c000, read | write,
		},
		"00599000-0059a000 ---p 00000000 fe:00 1 /x\n": {0x599000, 0x1000, 0, 0},
	} {
		got, err := parsePart(line)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
	for _, line := range []string{"", "\n", "00400000 r-xp 0 fe:00 1 /x\n", "1-2 r-xp\n"} {
		_, err := parsePart(line)
		require.ErrorContains(t, err, "/proc/self/maps", line)
	}
}

// Of a program all parts are found, by what they are for: one is executed, one is written.
// Would one be missing, the kernel would not let the next process name another file.
func TestParts(t *testing.T) {
	parts, err := readParts()
	require.NoError(t, err)
	var all uintptr
	for _, p := range parts {
		require.NotZero(t, p.length)
		require.Zero(t, p.start%uintptr(os.Getpagesize()))
		all |= p.rights
	}
	require.Equal(t, uintptr(unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC), all)
}

// On a kernel on which nobody can name another file, the program executes itself anew.
func TestAnew(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{"again"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "protected\n", string(out))
}

// Only who comes to others is seen by them.
func TestIsWatched(t *testing.T) {
	need.Sandbox(t)
	s := mustStart(t, Child{Args: []string{"hold"}, New: all})
	path := open(t, s.pid, unix.CLONE_NEWPID, unix.CLONE_NEWNET)
	ours := open(t, os.Getpid(), unix.CLONE_NEWPID)
	for _, test := range []struct {
		name string
		c    Child
		want bool
	}{
		{"new", Child{New: all}, false},
		{"init's", Child{Join: all}, true},
		{"another namespace of init's", Child{Join: unix.CLONE_NEWNET}, false},
		{"by path", Child{Namespaces: path}, true},
		{"another one by path", Child{Namespaces: path[1:]}, false},
		{"our own by path", Child{Namespaces: ours}, false},
	} {
		p := prepared{c: &test.c}
		for _, n := range test.c.Namespaces {
			here, err := n.isOurs()
			require.NoError(t, err)
			p.namespaces = append(p.namespaces, joined{n.Kind, n.File.Fd(), here})
		}
		require.Equal(t, test.want, p.isWatched(), test.name)
	}
}

//go:build linux

package nsview

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/inspect"
	"lab/internal/screen"
)

// process makes a process whose namespaces are given as "mnt:5 net:6".
func process(pid int, name, in string) Process {
	p := Process{In: map[string]uint64{}}
	p.PID, p.Name, p.State = pid, name, 'S'
	for word := range strings.FieldsSeq(in) {
		kind, inode, _ := strings.Cut(word, ":")
		p.In[kind] = uint64(inode[0] - '0')
	}
	return p
}

// drawn returns what a survey draws.
func drawn(draw func(screen.Screen), width int) string {
	var out strings.Builder
	draw(screen.Screen{Writer: &out, Width: width, UTF8: true})
	return out.String()
}

func TestMatrix(t *testing.T) {
	s := &Survey{
		Kinds: []string{"mnt", "net", "pid"},
		You:   process(9, "lab", "mnt:1 net:2 pid:3"),
		Processes: []Process{
			process(5, "web", "mnt:4 net:5 pid:6"),
			process(6, "web", "mnt:4 net:5 pid:6"),
			process(7, "side", "mnt:7 net:5 pid:6"),
			process(8, "host", "mnt:1 net:2 pid:3"),
			process(9, "again", "mnt:1 net:5 pid:3"),
			process(10, "gone", "pid:6"),
		},
		Ended: 1,
	}
	s.Processes[5].State = 'Z'
	want := `   pid  process        mnt net pid
   8    host           ·   ·   ·
A  5 6  web ×2         A   A   A
B  7    last: side     B   A   A
   9    again          ·   A   ·
   10   gone (zombie)  –   –   A

·  yours: mnt:1 net:2 pid:3
A  mnt:4 net:5 pid:6
B  mnt:7
6 processes were read. 1 process ended meanwhile.
`
	assert.Equal(t, want, drawn(func(to screen.Screen) { s.Matrix(to, NewLetters(), 7) }, 80))
}

// A namespace keeps its letter when others come and go.
func TestLettersStay(t *testing.T) {
	s := &Survey{
		Kinds: []string{"mnt", "net"}, You: process(9, "lab", "mnt:1 net:2"),
		Processes: []Process{process(5, "a", "mnt:3 net:4"), process(6, "b", "mnt:5 net:4")},
	}
	names := NewLetters()
	drawn(func(to screen.Screen) { s.Matrix(to, names, 0) }, 80)
	s.Processes = []Process{process(6, "b", "mnt:5 net:4"), process(7, "c", "mnt:6 net:6")}
	got := drawn(func(to screen.Screen) { s.Matrix(to, names, 0) }, 80)
	assert.Contains(t, got, "B  6    b        B   A\nC  7    c        C   C\n")
	assert.Contains(t, got, "A  net:4\nB  mnt:5\nC  mnt:6 net:6\n")
}

func TestLetters(t *testing.T) {
	for n, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 27: "AB", 52: "BA", 702: "AAA"} {
		assert.Equal(t, want, letter(n))
	}
}

func TestKernelThreadsAreSaid(t *testing.T) {
	r := row{processes: []Process{
		process(2, "kthreadd", ""), process(3, "rcu", ""),
		process(4, "sh", ""),
	}}
	r.processes[0].Kernel, r.processes[1].Kernel = true, true
	assert.Equal(t, "2 kernel threads, sh", r.who(screen.Screen{}))
	assert.Equal(t, "2 3 4", r.pids())
}

func TestRemarks(t *testing.T) {
	denied := func(uids ...int) *Survey {
		s := &Survey{You: Process{Process: inspect.Process{UID: 7}}}
		for i, uid := range uids {
			s.Denied = append(s.Denied,
				Denied{inspect.Process{PID: i + 1, UID: uid}, os.ErrPermission})
		}
		return s
	}
	assert.Equal(t, "Permission denied for 3 processes of uid 0 and 5: root may read them.",
		denied(5, 0, 5).denied())
	assert.Equal(t, "Permission denied for process 1: with capabilities that you lack.",
		denied(7).denied())
}

// A process that has ended is no error when all are read, and one when it was
// asked for. A zombie has only the namespaces that it cannot lose.
func TestEndedProcesses(t *testing.T) {
	cmd := exec.Command("true")
	require.NoError(t, cmd.Start())
	pid := cmd.Process.Pid
	var info unix.Siginfo
	require.NoError(t, unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil))
	p, err := read(pid, nil)
	require.NoError(t, err)
	assert.Equal(t, byte('Z'), p.State)
	assert.Contains(t, p.In, "user")
	assert.NotContains(t, p.In, "net")

	require.NoError(t, cmd.Wait())
	_, err = read(pid, nil)
	require.Error(t, err)
	assert.True(t, ended(err), "%v", err)
	_, err = Of([]int{pid})
	require.ErrorIs(t, err, inspect.ErrEnded)
}

func TestAllReadsThisProcess(t *testing.T) {
	s, err := All()
	require.NoError(t, err)
	assert.Equal(t, os.Getpid(), s.You.PID)
	assert.Contains(t, s.byPID(), os.Getpid())
	for _, n := range s.Namespaces {
		if s.Yours(n.Kind, n.Inode) {
			assert.Contains(t, n.PIDs, os.Getpid(), "%s %d", n.Kind, n.Inode)
		}
	}
	document := s.Document()
	assert.Len(t, document.Processes, len(s.Processes))
	assert.Empty(t, document.You.Own)
}

// What a user namespace owns takes as many lines as it needs.
func TestTreeIsNotCut(t *testing.T) {
	s := &Survey{
		Kinds: []string{"user", "pid"}, You: process(9, "lab", "user:1 pid:2"),
		Processes: []Process{process(9, "lab", "user:1 pid:2"), process(7, "web", "user:3 pid:4")},
		Namespaces: []Namespace{
			{Kind: "user", Inode: 1, PIDs: []int{9}},
			{Kind: "user", Inode: 3, Parent: 1, Maker: 1000},
			{Kind: "pid", Inode: 2, PIDs: []int{9}},
		},
	}
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "time", "uts"} {
		owned := Namespace{Kind: kind, Inode: 5, Owner: 3, PIDs: []int{9}}
		s.Namespaces = append(s.Namespaces, owned)
	}
	text := drawn(s.Tree, 40)
	assert.Contains(t, text, `user namespaces
1 (yours)
│  1 process
└─ 3, made by uid 1000, owns cgroup
        ipc mnt net time uts, `)
	for line := range strings.Lines(text) {
		assert.LessOrEqual(t, screen.Width(strings.TrimSuffix(line, "\n")), 40, line)
		assert.NotContains(t, line, "…")
	}
}

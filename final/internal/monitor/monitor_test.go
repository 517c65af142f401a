//go:build linux

package monitor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/final/internal/hint"
)

// A policy is what is written, and starts a container again after the ends that it names.
func TestRestart(t *testing.T) {
	for _, tt := range []struct {
		text    string
		refused string
		want    Restart
		again   string // after status 0, 1, and 1 for the third time
	}{
		{"", "", Restart{Name: "no"}, "false false false"},
		{"no", "", Restart{Name: "no"}, "false false false"},
		{"always", "", Restart{Name: "always"}, "true true true"},
		{"unless-stopped", "", Restart{Name: "unless-stopped"}, "true true true"},
		{"on-failure", "", Restart{Name: "on-failure"}, "false true true"},
		{"on-failure:3", "", Restart{"on-failure", 3}, "false true false"},
		{"sometimes", "is none of", Restart{}, ""},
		{"always:3", "a number of tries", Restart{}, ""},
		{"on-failure:-1", "a number of tries", Restart{}, ""},
		{"on-failure:x", "a number of tries", Restart{}, ""},
	} {
		t.Run(tt.text, func(t *testing.T) {
			r, err := ParseRestart(tt.text)
			if tt.refused != "" {
				require.ErrorContains(t, err, tt.refused)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, r)
			assert.Equal(t, tt.again, fmt.Sprint(r.again(0, 0), r.again(1, 0), r.again(1, 3)))
		})
	}
}

// A process is another one if it began at another time, or before the machine did.
func TestProcess(t *testing.T) {
	self, err := Self()
	require.NoError(t, err)
	assert.True(t, self.Alive())
	later, before := self, self
	later.Start++
	before.Boot = "another"
	for _, p := range []Process{{}, {Pid: 1, Boot: self.Boot}, later, before} {
		assert.False(t, p.Alive(), p)
	}
}

// An end is told as a shell tells it.
func TestExitCode(t *testing.T) {
	assert.Equal(t, 7, exitCode(unix.WaitStatus(7<<8)))
	assert.Equal(t, 137, exitCode(unix.WaitStatus(unix.SIGKILL)))
}

// What a container has said is read as it was said, whoever else writes in between, and a
// line without an end is one that goes on.
func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, err := OpenLog(path)
	require.NoError(t, err)
	log.Write(Output, []byte("one\ntw"))
	log.Write(Errors, []byte("oops\n"))
	log.Write(Output, []byte("o\n\n"))
	log.Write(Output, []byte(strings.Repeat("x", maxLine)))
	log.Write(Output, []byte("y\nend"))
	log.End(Output)
	log.End(Errors)
	require.NoError(t, log.Close())

	long := strings.Repeat("x", maxLine)
	all := []string{"o:one\n", "e:oops\n", "o:two\n", "o:\n", "o:" + long, "o:y\n", "o:end"}
	now := time.Now()
	for _, tt := range []struct {
		name string
		q    LogQuery
		want []string
	}{
		{"all", LogQuery{Tail: -1}, all},
		{"none", LogQuery{Tail: 0}, nil},
		{"the last", LogQuery{Tail: 1}, all[6:]},
		{"more than there are", LogQuery{Tail: 100}, all},
		{"before", LogQuery{Tail: -1, Until: now.Add(-time.Hour)}, nil},
		{"after", LogQuery{Tail: -1, Since: now.Add(time.Hour)}, nil},
		{"around", LogQuery{Tail: -1, Since: now.Add(-time.Hour), Until: now.Add(time.Hour)}, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			require.NoError(t, ReadLog(t.Context(), path, tt.q, func(l Line) error {
				text := string(l.Stream) + ":" + l.Text
				if l.Whole {
					text += "\n"
				}
				got = append(got, text)
				return nil
			}))
			assert.Equal(t, tt.want, got)
		})
	}
	require.NoError(t, ReadLog(t.Context(), path+"-nosuch", LogQuery{}, nil))
}

// Packets arrive whole, with what is open, and a failure with its status and what may help.
func TestConnection(t *testing.T) {
	ours, file, err := Pair()
	require.NoError(t, err)
	theirs, err := NewConn(file)
	require.NoError(t, err)
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	require.NoError(t, ours.Send(Output, []byte("words"), null))
	kind, data, files, err := theirs.Receive()
	require.NoError(t, err)
	assert.Equal(t, Output, kind)
	assert.Equal(t, "words", string(data))
	require.Len(t, files, 1)
	require.NoError(t, files[0].Close())

	for _, sent := range []error{
		hint.New("it is taken", "take another"), ErrEnded,
		fmt.Errorf("x: %w", &Failure{Status: 127}),
	} {
		require.NoError(t, ours.SendError(sent))
		_, _, _, err := theirs.Receive()
		require.EqualError(t, err, sent.Error())
		assert.Equal(t, hint.Of(sent), hint.Of(err))
		assert.Equal(t, errors.Is(sent, ErrEnded), errors.Is(err, ErrEnded))
		assert.Equal(t, statusOf(sent), statusOf(err))
	}
	require.NoError(t, ours.Close())
	_, _, _, err = theirs.Receive()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, theirs.Close())
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"lab/final/internal/monitor"
)

// defaultKeys leave a container's terminal.
const defaultKeys = "ctrl-p,ctrl-q"

// errDetached means that somebody has left a container that goes on.
var errDetached = errors.New("detached")

// session is somebody who sits before a container.
type session struct {
	conn     *monitor.Conn
	terminal bool           // the container has one
	input    bool           // what is typed is passed on
	keys     []byte         // which leave it
	signals  chan os.Signal // those that are passed on; nil if none is
}

// follow shows what the container says and passes on what is typed until it has ended,
// whose exit status it returns, or until it is left.
func (s *session) follow() (int, error) {
	defer s.conn.Close()
	restore, err := s.raw()
	if err != nil {
		return 0, err
	}
	defer restore()
	if s.signals != nil {
		defer signal.Stop(s.signals)
		go s.passSignals()
	}
	left := make(chan error, 1)
	if s.input {
		go func() { left <- s.passInput(os.Stdin) }()
	}
	ended := make(chan error, 1)
	var state monitor.State
	go func() { ended <- s.show(&state) }()
	for {
		select {
		case err := <-ended:
			if state.OOMKilled {
				fmt.Fprintln(os.Stderr, "mini: out of memory: the kernel has killed a process of "+
					"the container")
			}
			return state.ExitCode, err
		case err := <-left:
			if errors.Is(err, errDetached) {
				return 0, nil
			}
		}
	}
}

// raw makes our terminal pass on every key as it is, if the container has one of its own,
// which does what is to be done for a key.
func (s *session) raw() (restore func(), err error) {
	in := int(os.Stdin.Fd())
	if !s.terminal || !term.IsTerminal(in) {
		return func() {}, nil
	}
	before, err := term.MakeRaw(in)
	if err != nil {
		return nil, fmt.Errorf("make the terminal raw: %w", err)
	}
	s.resize()
	return func() {
		_ = term.Restore(in, before) // it may be gone
	}, nil
}

// resize tells the container's terminal the size of ours.
func (s *session) resize() {
	size, err := unix.IoctlGetWinsize(int(os.Stdin.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return // what is no terminal has no size
	}
	text, err := json.Marshal(monitor.Size{Rows: size.Row, Cols: size.Col})
	if err == nil {
		_ = s.conn.Send(monitor.Resize, text) // it may have ended
	}
}

// catchSignals catches the signals that a session passes on.
func catchSignals() chan os.Signal {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1,
		unix.SIGUSR2, unix.SIGALRM, unix.SIGCONT, unix.SIGWINCH)
	return signals
}

// passSignals passes on signals to the container's command. At a terminal a key is a key,
// and no signal.
func (s *session) passSignals() {
	for received := range s.signals {
		if received == unix.SIGWINCH {
			if s.terminal {
				s.resize()
			}
			continue
		}
		// It may have ended.
		_ = s.conn.Send(monitor.Signal, fmt.Append(nil, int(received.(unix.Signal))))
	}
}

// passInput passes on what is typed until its end, or until the keys are typed that leave
// the container.
func (s *session) passInput(from io.Reader) error {
	buffer := make([]byte, 32<<10)
	watch := keyWatch{keys: s.keys}
	for {
		n, err := from.Read(buffer)
		pass, detached := buffer[:n], false
		if s.terminal {
			pass, detached = watch.filter(pass)
		}
		if len(pass) > 0 {
			_ = s.conn.Send(monitor.Input, pass) // it may have ended, which show tells
		}
		if detached {
			return errDetached
		}
		if err != nil { // EOF, or nobody can type any longer
			return s.conn.Send(monitor.InputEnd, nil)
		}
	}
}

// show writes what the container says, until its end.
func (s *session) show(state *monitor.State) error {
	for {
		kind, data, _, err := s.conn.Receive()
		if errors.Is(err, io.EOF) {
			return errors.New("the container's monitor is gone")
		}
		if err != nil {
			return err
		}
		switch kind {
		case monitor.Output:
			_, err = os.Stdout.Write(data)
		case monitor.Errors:
			_, err = os.Stderr.Write(data)
		case monitor.Exited:
			return json.Unmarshal(data, state)
		default:
			// Started comes to who attaches.
		}
		if err != nil {
			return err
		}
	}
}

// keyWatch waits for the keys that leave a container.
type keyWatch struct {
	keys  []byte
	typed int // how many of them were typed
}

// filter returns what is to be passed on. The first of the keys are held back until it is
// known that the others do not follow.
func (w *keyWatch) filter(typed []byte) (pass []byte, detached bool) {
	if len(w.keys) == 0 {
		return typed, false
	}
	for _, key := range typed {
		if key != w.keys[w.typed] {
			pass = append(pass, w.keys[:w.typed]...)
			w.typed = 0
		}
		if key != w.keys[w.typed] {
			pass = append(pass, key)
			continue
		}
		if w.typed++; w.typed == len(w.keys) {
			return pass, true
		}
	}
	return pass, false
}

// parseKeys reads keys as they are written: ctrl-p,ctrl-q or a,b. None is none at all.
func parseKeys(text string) ([]byte, error) {
	var keys []byte
	if text == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		letter, control := strings.CutPrefix(strings.ToLower(word), "ctrl-")
		switch i := bytes.IndexByte([]byte("@abcdefghijklmnopqrstuvwxyz[\\]^_"), first(letter)); {
		case control && len(letter) == 1 && i >= 0:
			keys = append(keys, byte(i))
		case !control && len(word) == 1:
			keys = append(keys, word[0])
		default:
			return nil, fmt.Errorf("%w: --detach-keys %q: %q is neither a key nor ctrl- and one",
				errUsage, text, word)
		}
	}
	return keys, nil
}

// first is the first letter, or 0.
func first(text string) byte {
	if text == "" {
		return 0
	}
	return text[0]
}

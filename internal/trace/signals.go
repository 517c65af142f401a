//go:build linux

package trace

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long a command has to end by itself after Ctrl-C.
const grace = 2 * time.Second

// passSignals deals with the signals that are sent to us while the command runs,
// until the returned function is called.
//
// The terminal sends SIGINT and SIGQUIT to the whole foreground group, so the
// command has them already; the others are passed on to it. What wants to end us
// ends all: those that have not gone after a moment are killed, at once with the
// second signal.
func (t *tracer) passSignals() (stop func()) {
	received := make(chan os.Signal, 16)
	for _, s := range []os.Signal{
		unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2,
	} {
		if !signal.Ignored(s) { // as nohup(1) has it
			signal.Notify(received, s)
		}
	}
	done := make(chan struct{})
	go func() {
		var overdue <-chan time.Time
		for {
			select {
			case s := <-received:
				t.received(s.(unix.Signal), overdue != nil)
				if ends(s) && overdue == nil {
					overdue = time.After(grace)
				}
			case <-overdue:
				t.killAll()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(received)
		close(done)
	}
}

// ends reports whether a signal means that we shall end.
func ends(s os.Signal) bool { return s != unix.SIGUSR1 && s != unix.SIGUSR2 }

// received deals with one signal.
func (t *tracer) received(s unix.Signal, again bool) {
	switch {
	case again && ends(s):
		t.killAll()
	case s != unix.SIGINT && s != unix.SIGQUIT:
		t.lock.Lock()
		defer t.lock.Unlock()
		if p := t.processes[t.root]; p != nil {
			p.kill(s)
		}
	}
}

// killAll kills every traced process.
func (t *tracer) killAll() {
	t.lock.Lock()
	defer t.lock.Unlock()
	for _, p := range t.processes {
		p.kill(unix.SIGKILL)
	}
}

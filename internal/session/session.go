//go:build linux

package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/course"
	"lab/internal/progress"
	"lab/internal/saves"
	"lab/internal/screen"
)

// Page makes a text to read about a step: its title, and what it looks like on a
// screen, which may change its size meanwhile.
type Page func(course.Step) (title string, draw func(screen.Screen) string, err error)

// Options say what to watch and where to show it.
type Options struct {
	Step course.Step
	// Lab is this program's command line up to its first argument.
	Lab []string
	// Flags go to the commands of the loop, such as --workspace DIR.
	Flags []string
	// Dir returns the directory of the learner's program of a step.
	Dir func(step string) string
	// Hint, Lesson and List are what the keys h, s and l show.
	Hint, Lesson, List Page

	Poll    bool // look at the files instead of being told by the kernel
	Plain   bool // append lines instead of drawing a screen
	In, Out *os.File
}

// Interrupted is the signal by which a session ended.
type Interrupted struct{ Signal unix.Signal }

// Error names the signal.
func (i Interrupted) Error() string { return "ended by " + unix.SignalName(i.Signal) }

// session is a running session; Run's goroutine owns it.
type session struct {
	Options
	terminal *terminal
	typed    bool // there is a keyboard
	screen   screen.Screen
	model    *model

	run    *run          // the check that runs; nil is none
	again  bool          // another one is to follow
	saved  chan struct{} // by the watcher of the step's directory
	unlook func()        // ends it
	later  chan func()   // what other goroutines want done here
	quit   bool
}

// Run shows a step's checks at each save until q is typed, the context ends or a
// signal comes. The terminal is then as it was before, however it ended.
func Run(ctx context.Context, o Options) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{
		Options: o, screen: screen.Of(o.Out), typed: screen.Of(o.In).Terminal,
		model: &model{step: o.Step}, later: make(chan func()), unlook: func() {},
	}
	s.Plain = o.Plain || !s.screen.Terminal
	s.terminal = &terminal{in: o.In, out: o.Out, full: !s.Plain}
	if err := s.readProgress(); err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT,
		unix.SIGWINCH, unix.SIGTSTP, unix.SIGCONT)
	defer signal.Stop(signals)
	defer s.end() // last: the terminal comes first
	if s.typed {
		if err := s.terminal.take(); err != nil {
			return err
		}
		// Deferred, so that it runs in a panic, too.
		defer func() { err = errors.Join(err, s.terminal.giveBack()) }()
	}
	keys := make(chan rune)
	if s.typed {
		s.guard(ctx, func() { readKeys(ctx, o.In, keys) })
	}
	s.watch(ctx, o.Step)
	return s.loop(ctx, keys, signals)
}

// loop takes what happens, one thing at a time, and shows what has become of it.
func (s *session) loop(ctx context.Context, keys <-chan rune, signals <-chan os.Signal) error {
	for !s.quit {
		s.draw()
		var events <-chan event
		var done <-chan struct{}
		if s.run != nil {
			if events = s.run.events; events == nil {
				done = s.run.done // all that it said has been read
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case key := <-keys:
			s.key(ctx, key)
		case <-s.saved:
			s.check()
		case e, more := <-events:
			s.event(e, more)
		case <-done:
			s.checked()
		case do := <-s.later:
			do()
		case got := <-signals:
			if err := s.signal(got.(unix.Signal), signals); err != nil {
				return err
			}
		}
	}
	return nil
}

// guard runs a goroutine whose panic ends the session, with the terminal put back,
// and not the program on the spot.
func (s *session) guard(ctx context.Context, do func()) {
	go func() {
		defer func() {
			if bug := recover(); bug != nil {
				trace := fmt.Sprintf("%v\n%s", bug, debug.Stack())
				s.send(ctx, func() { panic(trace) }) //nolint:forbidigo // it is one
			}
		}()
		do()
	}()
}

// send has something done by the session's own goroutine.
func (s *session) send(ctx context.Context, do func()) {
	select {
	case s.later <- do:
	case <-ctx.Done():
	}
}

// end ends what still runs.
func (s *session) end() {
	s.unlook()
	if s.run == nil {
		return
	}
	s.run.stop()
	if s.run.events != nil { // else they have all been read
		for range s.run.events { // so that it is not held up by what nobody reads
			continue
		}
	}
	<-s.run.done
}

// watch turns to a step: its directory is watched and its program checked.
func (s *session) watch(ctx context.Context, step course.Step) {
	s.unlook()
	ctx, s.unlook = context.WithCancel(ctx)
	dir := s.Dir(step.ID)
	watcher := saves.Watch(dir, s.Poll)
	s.saved = make(chan struct{}, 1)
	saved := s.saved
	s.guard(ctx, func() { watcher.Run(ctx, saved) })
	here, _ := os.Getwd() // without it the whole path is shown
	s.model.step = step
	s.model.where = fmt.Sprintf("a save in %s starts a check (%s)", short(dir, here), watcher.How())
	s.plainly("%s: %s\n%s\n", step.ID, step.Title, s.model.where)
	if s.typed {
		s.plainly("%s\n", legend)
	}
	s.check()
}

// readProgress reads what has passed.
func (s *session) readProgress() error {
	kept, err := progress.Open()
	if err != nil {
		return err
	}
	s.model.kept = kept
	if kept.Notice() != "" {
		s.note("%s", kept.Notice())
	}
	return nil
}

// check starts a check; one that runs is ended first, for it judges a program that
// is no longer there.
func (s *session) check() {
	if s.run != nil {
		s.again = true
		s.run.stop()
		return
	}
	s.model.begin()
	s.plainly("\nchecking %s\n", s.model.step.ID)
	line := slices.Concat(s.Lab, []string{"check", s.model.step.ID, "--json"}, s.Flags)
	run, err := start(line)
	if err != nil {
		s.model.finish(fmt.Sprintf("start the check: %v", err))
		return
	}
	s.run = run
}

// event takes what the running check says, or that it says no more.
func (s *session) event(e event, more bool) {
	switch {
	case !more:
		s.run.events = nil
	case !s.again:
		s.model.take(e)
		s.plainEvent(e)
	}
}

// checked is the end of the running check.
func (s *session) checked() {
	said := s.run.said.String()
	s.run = nil
	if s.again {
		s.again = false
		s.check()
		return
	}
	s.model.finish(said)
	if s.model.trouble != "" {
		s.plainly("%s\n", strings.Join(foreign(s.screen, s.model.trouble, s.screen.Width), "\n"))
	}
	if err := s.readProgress(); err != nil {
		s.note("%v", err)
	}
	s.plainly("%s\n", s.model.bar(s.screen))
}

// command runs a command of the lab beside the session; then gets what it said.
func (s *session) command(ctx context.Context, then func(said string, err error), args ...string) {
	line := slices.Concat(s.Lab, args, s.Flags)
	s.note("lab %s%s", strings.Join(args, " "), s.screen.Sign("…", "..."))
	s.guard(ctx, func() {
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		var said bytes.Buffer
		cmd := exec.CommandContext(limited, line[0], line[1:]...)
		cmd.Stdout, cmd.Stderr = &said, &said
		cmd.WaitDelay = time.Second
		err := cmd.Run()
		s.send(ctx, func() { then(strings.TrimSpace(said.String()), err) })
	})
}

// note shows one line.
func (s *session) note(format string, args ...any) {
	s.model.note = fmt.Sprintf(format, args...)
	s.plainly("%s\n", s.screen.Clean(s.model.note))
}

// draw shows the model; a plain session has shown all as it came.
func (s *session) draw() {
	if s.Plain {
		return
	}
	// The terminal may have another size by now; what leads to none is 80x24.
	s.screen = screen.Of(s.Out)
	if s.screen.Height == 0 {
		s.screen.Height = 24
	}
	var b strings.Builder
	// ESC [ H goes to the upper left, ESC [ K clears the rest of a line, ESC [ J
	// all below.
	b.WriteString("\x1b[H")
	for i, line := range s.model.view(s.screen) {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, _ = s.Out.WriteString(b.String()) // a terminal that is gone sends SIGHUP
}

// started reports whether the learner has a program of a step.
func (s *session) started(step course.Step) bool {
	info, err := os.Stat(s.Dir(step.ID))
	return err == nil && info.IsDir()
}

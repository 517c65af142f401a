//go:build linux

package box

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
	"mvdan.cc/sh/v3/syntax"
)

// runTerminal reads and runs lines from a terminal until Ctrl-D or exit.
func (s *shell) runTerminal(name string) error {
	// Ctrl-C during a command reaches it from the terminal; here it only ends the
	// line's loops. TERM is for commands, not for the shell a person sits at.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	// No process could be the stopped job, so Ctrl-Z is off here and in children.
	signal.Ignore(syscall.SIGTSTP, syscall.SIGTTOU)

	editor := newEditor(s)
	err := s.run(&syntax.File{Name: name}) // This gives $0 its value.
	for {
		source, rerr := editor.read(s)
		if errors.Is(rerr, io.EOF) {
			tell(os.Stdout, "\n")
			return s.leave(err)
		}
		if rerr != nil {
			return rerr
		}
		file, perr := s.parser.Parse(strings.NewReader(source), name)
		if perr != nil {
			err = s.syntaxError(perr)
			continue
		}
		err = s.runLine(file, interrupts)
		if s.runner.Exited() {
			return s.leave(err)
		}
	}
}

// runLine runs the statements of one line; Ctrl-C ends the rest of it.
func (s *shell) runLine(file *syntax.File, interrupts <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	s.interrupt = cancel
	over := make(chan struct{})
	defer func() { cancel(); close(over) }()
	go func() {
		for {
			select {
			case sig := <-interrupts:
				if sig == syscall.SIGINT {
					cancel()
				}
			case <-over:
				return
			}
		}
	}()

	s.rewrite(file.Stmts)
	var err error
	for _, stmt := range file.Stmts {
		err = s.runner.Run(ctx, stmt)
		_ = os.Chdir(s.runner.Dir) // A directory that is gone is the shell's business.
		if ctx.Err() != nil {
			tell(os.Stdout, "\n")
			return s.setStatus(130)
		}
		if s.runner.Exited() {
			return err
		}
	}
	return err
}

// setStatus gives $? a value.
func (s *shell) setStatus(n int) error {
	file, err := s.parser.Parse(strings.NewReader(fmt.Sprintf("(exit %d)", n)), "sh")
	if err != nil {
		return err
	}
	return s.runner.Run(context.Background(), file.Stmts[0])
}

// editor reads lines with editing and history.
type editor struct {
	keys *keys
	term *term.Terminal
}

// newEditor makes the editor of a shell on descriptors 0 and 1.
func newEditor(s *shell) *editor {
	e := &editor{keys: &keys{r: os.Stdin}}
	e.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{e.keys, os.Stdout}, "")
	e.term.History = &history{}
	e.term.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		return complete(s.runner.Dir, line, pos, key)
	}
	return e
}

// read reads one complete command, which may be several lines. Only while a line is
// being typed is the terminal raw: commands get it as it was.
func (e *editor) read(s *shell) (string, error) {
	source := ""
	for {
		prompt := "> "
		if source == "" {
			prompt = promptOf(s)
		}
		line, err := e.readLine(prompt)
		if err != nil {
			return "", err
		}
		if e.keys.interrupted {
			e.keys.interrupted = false
			source = ""
			continue
		}
		source += line + "\n"
		_, perr := s.parser.Parse(strings.NewReader(source), "sh")
		if !syntax.IsIncomplete(perr) {
			return source, nil
		}
	}
}

// readLine reads one line in raw mode.
func (e *editor) readLine(prompt string) (string, error) {
	cooked, err := term.MakeRaw(0)
	if err != nil {
		return "", fmt.Errorf("set the terminal to raw mode: %w", err)
	}
	if width, height, err := term.GetSize(1); err == nil && width > 0 {
		_ = e.term.SetSize(width, height) // A wrong width only misplaces the cursor.
	}
	e.term.SetPrompt(prompt)
	line, err := e.term.ReadLine()
	return line, errors.Join(err, term.Restore(0, cooked))
}

// promptOf returns a prompt in the usual form: root@container:/etc# .
func promptOf(s *shell) string {
	uid := os.Getuid()
	sign := "$"
	if uid == 0 {
		sign = "#"
	}
	dir := s.runner.Dir
	if home := os.Getenv("HOME"); home != "/" && dir == home {
		dir = "~"
	}
	return fmt.Sprintf("%s@%s:%s%s ", userName(uid), nodeName(), dir, sign)
}

// nodeName returns the host name of this process's UTS namespace.
func nodeName() string {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return "?"
	}
	return unix.ByteSliceToString(uts.Nodename[:])
}

// keys is the terminal's input with Ctrl-C made into "clear the line, Enter": the
// line editor would take it for the end of input.
type keys struct {
	r           io.Reader
	rest        []byte
	interrupted bool
}

// Read reads keys. Ctrl-C becomes Ctrl-E (end of line), Ctrl-U (erase to its
// beginning) and Enter.
func (k *keys) Read(p []byte) (int, error) {
	if len(k.rest) == 0 {
		buf := make([]byte, 64)
		n, err := k.r.Read(buf)
		if n == 0 {
			return 0, err
		}
		k.rest = buf[:n]
		if bytes.IndexByte(k.rest, 3) >= 0 {
			k.interrupted = true
			k.rest = []byte("\x05\x15\r")
		}
	}
	n := copy(p, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}

// history is the list of typed lines, without empty ones and repetitions.
type history struct{ lines []string }

// Add appends a line.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.At(0) == line {
		return
	}
	h.lines = append(h.lines, line)
}

// Len returns the number of lines.
func (h *history) Len() int { return len(h.lines) }

// At returns a line; 0 is the newest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// complete completes the word before the cursor on Tab: the first word from the
// applets, the others from the files. It adds what all candidates share.
func complete(dir, line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	start := strings.LastIndexAny(line[:pos], " |;&<>") + 1
	word := line[start:pos]
	var found []string
	if strings.TrimSpace(line[:start]) == "" && !strings.Contains(word, "/") {
		for _, name := range Applets() {
			if strings.HasPrefix(name, word) {
				found = append(found, name+" ")
			}
		}
	} else {
		found = filesFrom(dir, word)
	}
	shared := common(found)
	if len(shared) <= len(word) {
		return line, pos, true
	}
	return line[:start] + shared + line[pos:], start + len(shared), true
}

// filesFrom returns the files whose path starts with prefix, directories with "/".
func filesFrom(dir, prefix string) []string {
	pattern := prefix
	if !filepath.IsAbs(pattern) {
		pattern = dir + "/" + pattern
	}
	paths, err := filepath.Glob(pattern + "*")
	if err != nil {
		return nil
	}
	for i, path := range paths {
		suffix := " "
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			suffix = "/"
		}
		paths[i] = prefix + path[min(len(pattern), len(path)):] + suffix
	}
	return paths
}

// common returns the longest prefix of all words.
func common(words []string) string {
	if len(words) == 0 {
		return ""
	}
	prefix := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// userName returns the name of a user of this root, or the number.
func userName(uid int) string {
	return nameOf("/etc/passwd", uid, strconv.Itoa(uid))
}

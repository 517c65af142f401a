//go:build linux

package session

import (
	"context"
	"errors"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// The keys that are no letters.
const (
	keyUp rune = -iota - 1
	keyDown
	keyPageUp
	keyPageDown
	keyEscape
	keyGone // the keyboard is gone: nobody can type any more
)

// sequences are what a terminal sends for keys that are no characters, without the
// escape and the bracket, or O, before it.
var sequences = map[string]rune{
	"A": keyUp, "B": keyDown, "5~": keyPageUp, "6~": keyPageDown,
}

// readKeys sends on what is typed until the context ends or the keyboard is gone.
func readKeys(ctx context.Context, in *os.File, keys chan<- rune) {
	send := func(key rune) bool {
		select {
		case keys <- key:
			return true
		case <-ctx.Done():
			return false
		}
	}
	piece := make([]byte, 64)
	for ctx.Err() == nil {
		// Never block for long, so that the goroutine ends with the session.
		ready := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, 100)
		if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			continue
		}
		if err == nil {
			n, err = unix.Read(int(in.Fd()), piece)
		}
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil || n <= 0 {
			send(keyGone)
			return
		}
		for _, key := range typed(string(piece[:n])) {
			if !send(key) {
				return
			}
		}
	}
}

// typed takes what was read apart into keys. One that is not known is no key:
//
//	ESC [ 1 5 ~     parameters of 0x30 to 0x3f, then a final byte
//	ESC O A
//	ESC             alone
func typed(text string) []rune {
	var keys []rune
	for text != "" {
		rest, isEscape := strings.CutPrefix(text, "\x1b")
		if !isEscape {
			r, size := utf8.DecodeRuneInString(text)
			keys, text = append(keys, r), text[size:]
			continue
		}
		if rest == "" || rest[0] != '[' && rest[0] != 'O' {
			keys, text = append(keys, keyEscape), rest
			continue
		}
		end := 1
		for end < len(rest)-1 && rest[end] >= 0x30 && rest[end] <= 0x3f {
			end++
		}
		end = min(end+1, len(rest))
		if key, known := sequences[rest[1:end]]; known {
			keys = append(keys, key)
		}
		text = rest[end:]
	}
	return keys
}

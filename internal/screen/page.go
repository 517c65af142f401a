package screen

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Page prints a text. On a terminal it goes through $PAGER, or less(1), which
// quits by itself when all of it fits. An empty $PAGER means none, as for git(1).
func (s Screen) Page(text string) error {
	pager, isSet := os.LookupEnv("PAGER")
	if !isSet {
		pager = "less"
	}
	words := strings.Fields(pager)
	if !s.Terminal || len(words) == 0 || !installed("sh") || !installed(words[0]) {
		_, err := io.WriteString(s, text)
		return err
	}
	cmd := exec.Command("sh", "-c", pager)
	cmd.Stdin = strings.NewReader(text)
	cmd.Stdout, cmd.Stderr = s.Writer, os.Stderr
	cmd.Env = os.Environ()
	if os.Getenv("LESS") == "" {
		// Quit if it fits, show colours, leave the text on the screen.
		cmd.Env = append(cmd.Env, "LESS=FRX")
	}
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return fmt.Errorf("page the text with %s: %w", pager, err)
	}
	return nil // how the reader left it is their affair
}

// installed reports whether a program is on PATH.
func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

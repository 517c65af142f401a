package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"lab/final/internal/rootless"
)

// enter runs a verb of an ordinary user once more as root of the user's namespaces, and
// ends this one as that has ended. Verbs that are about no file of a container stay.
func (a *app) enter(cmd *cobra.Command) error {
	stays := slices.Contains([]string{"version", "help", "completion", "login", "logout"},
		cmd.Name())
	if os.Geteuid() == 0 {
		return rootless.Follow(a.state, false)
	}
	if stays || cmd.HasSubCommands() || cmd.Parent().Name() == "completion" {
		return nil
	}
	// Those flags that the user has given come later, and count.
	args := slices.Concat([]string{os.Args[0], "--root", a.root, "--state", a.state}, os.Args[1:])
	state, err := filepath.Abs(a.state)
	var status int
	if err == nil {
		status, err = rootless.Enter(rootless.Call{
			State: state, Root: a.root, Args: args, Warn: warn,
		})
	}
	if err != nil && slices.Contains([]string{"run", "exec"}, cmd.Name()) {
		return outcome(cmd.Name(), 0, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	return exited(status)
}

// warn tells what is worth a line and no error.
func warn(text string) { fmt.Fprintln(os.Stderr, "mini: warning:", text) }

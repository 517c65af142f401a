// Package hook runs the programs that a configuration names for moments in a
// container's life, with the container's state as JSON on their standard input.
//
//	err := hook.Run("createRuntime", spec.Hooks.CreateRuntime, state)
//	warnings := hook.RunAll("poststop", spec.Hooks.Poststop, state)
//
// A hook that fails, or does not end within its time, is an error that says what it
// wrote. See the OCI runtime specification, config.md, "POSIX-platform Hooks".
package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Run runs the hooks of one moment, one after the other, up to the first that fails.
func Run(name string, all []specs.Hook, state specs.State) error {
	for i := range all {
		if err := run(name, all, i, state); err != nil {
			return err
		}
	}
	return nil
}

// RunAll runs all hooks of a moment at which those that fail are worth a warning, and
// the others are run as if they had not.
func RunAll(name string, all []specs.Hook, state specs.State) error {
	var found []error
	for i := range all {
		found = append(found, run(name, all, i, state))
	}
	return errors.Join(found...)
}

// run runs one hook of a moment, and names it in its error.
func run(name string, all []specs.Hook, i int, state specs.State) error {
	text, err := json.Marshal(state)
	if err == nil {
		err = execute(all[i], text)
	}
	if err != nil {
		return fmt.Errorf("hook %s[%d]: %w", name, i, err)
	}
	return nil
}

// execute executes a hook and waits for its end.
func execute(hook specs.Hook, state []byte) error {
	ctx, cancel := context.Background(), func() {}
	if hook.Timeout != nil {
		limit := time.Duration(*hook.Timeout) * time.Second
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, hook.Path)
	if len(hook.Args) > 0 {
		cmd.Args = hook.Args
	}
	cmd.Env = hook.Env
	if cmd.Env == nil {
		cmd.Env = []string{} // a hook has the variables that it is given, and not ours
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(state), &said, &said
	// A hook may leave a daemon behind that keeps our pipe.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s: still running after %d s", hook.Path, *hook.Timeout)
	}
	if text := strings.TrimSpace(said.String()); text != "" {
		return fmt.Errorf("%s: %w: %s", hook.Path, err, text)
	}
	return fmt.Errorf("%s: %w", hook.Path, err)
}

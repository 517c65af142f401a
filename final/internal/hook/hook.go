// Package hook runs the programs that a configuration names for moments in a
// container's life, with the container's state as JSON on their standard input.
//
//	err := hook.Run("createRuntime", spec.Hooks.CreateRuntime, state)
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
	if len(all) == 0 {
		return nil
	}
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	for i, hook := range all {
		if err := run(hook, text); err != nil {
			return fmt.Errorf("hook %s[%d]: %w", name, i, err)
		}
	}
	return nil
}

// run runs one hook.
func run(hook specs.Hook, state []byte) error {
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

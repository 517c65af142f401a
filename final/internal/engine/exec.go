//go:build linux

package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"lab/final/internal/monitor"
)

// Exec is a process that is started in a running container.
type Exec struct {
	Args       []string
	Env        []string
	User       string // the container's own if empty
	WorkingDir string // the container's own if empty
	Tty        bool
}

// Exec starts a process in a running container. Its files 0, 1 and 2 are the given ones;
// at a terminal there are none, and the terminal is returned. The connection tells of its
// end and takes signals.
func (e *Engine) Exec(c *Container, x Exec, files []*os.File) (*monitor.Conn, *os.File, error) {
	if c.State.Paused {
		return nil, nil, ErrPaused
	}
	asked, err := json.Marshal(x)
	if err == nil {
		err = c.givePipes(files)
	}
	if err != nil {
		return nil, nil, err
	}
	conn, err := e.dial(c, monitor.Request{Do: "exec", Process: asked, Terminal: x.Tty}, files...)
	if err != nil {
		return nil, nil, err
	}
	_, _, received, err := conn.Receive()
	if err == nil && x.Tty && len(received) != 1 {
		err = fmt.Errorf("the monitor sent %d terminals", len(received))
	}
	if err != nil {
		_ = conn.Close() // the other error is told
		return nil, nil, err
	}
	if x.Tty {
		return conn, received[0], nil
	}
	return conn, nil, nil
}

// givePipes makes pipes those of the root of a container with users of its own, who can
// open them once more then, as /dev/stdout.
func (c *Container) givePipes(files []*os.File) error {
	if c.FirstID == 0 {
		return nil
	}
	for _, file := range files {
		info, err := file.Stat()
		if err == nil && info.Mode()&os.ModeNamedPipe != 0 {
			err = file.Chown(int(c.FirstID), int(c.FirstID))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// describeExec describes such a process as the runtime takes it. The monitor calls it,
// which sees the container's files.
func (e *Engine) describeExec(c *Container, asked []byte) ([]byte, error) {
	var x Exec
	if err := json.Unmarshal(asked, &x); err != nil {
		return nil, err
	}
	user := x.User
	if user == "" {
		user = c.Config.User
	}
	p, err := e.process(c, user, x.Args)
	if err != nil {
		return nil, err
	}
	p.Terminal = x.Tty
	p.Env = mergeEnv(p.Env, x.Env)
	if x.Tty && !slices.ContainsFunc(p.Env, isTerm) {
		p.Env = append(p.Env, "TERM=xterm")
	}
	if x.WorkingDir != "" {
		p.Cwd = x.WorkingDir
	}
	return json.Marshal(p)
}

// isTerm reports whether a variable names the kind of terminal.
func isTerm(variable string) bool { return strings.HasPrefix(variable, "TERM=") }

// Command mini runs containers. It is an engine without a daemon, with the words and
// flags of docker: it keeps images, containers, volumes and networks below two
// directories, writes a bundle of the OCI runtime specification for each container, and
// has a runtime, minirun, make the container by command line.
//
//	mini run --rm -it base sh        a shell in a container of the built-in image
//	mini run -d --name web base …    one that goes on
//	mini ps                          what runs
//	mini logs -f web                 what it says
//	mini exec -it web sh             a second process in it
//	mini rm -f web                   the end of it
//
// Called by another name, such as sh or ls, it is that program: mini's executable is the
// userland of its built-in image, base.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lab/final/internal/engine"
	"lab/final/internal/hint"
	"lab/final/internal/pid1"
	"lab/final/internal/rootless"
	"lab/internal/box"
)

// Exit statuses of mini's own. That of a container's command is passed on: 126 is one
// that cannot be executed, 127 one that is not there, 128+n one that signal n ended.
const (
	failed   = 1   // a verb that failed
	notRun   = 125 // run, exec and the like failed before there was a command
	notUsage = 2   // the command line cannot be understood

	interrupted = 128 + 2 // SIGINT has ended it
)

// errUsage means a command line that cannot be understood.
var errUsage = errors.New("usage")

// exited is the status of a container's command, passed on without a word.
type exited int

// Error returns the status in words.
func (e exited) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// withStatus is an error whose exit status is not that of its kind.
type withStatus struct {
	error
	status int
}

// Unwrap returns the error itself.
func (w withStatus) Unwrap() error { return w.error }

// main passes a status on, or says in one line what failed.
func main() {
	if len(os.Args) > 0 && os.Args[0] == engine.MonitorName {
		os.Exit(supervise(os.Args))
	}
	if len(os.Args) > 0 && filepath.Base(os.Args[0]) == pid1.Name {
		os.Exit(pid1.Run(os.Args[1:]))
	}
	if len(os.Args) > 0 && os.Args[0] == rootless.KeeperName {
		os.Exit(rootless.Keep(os.Args))
	}
	if status, ok := box.Run(os.Args); ok {
		os.Exit(status)
	}
	os.Exit(explain(newRoot().Execute()))
}

// explain prints an error and what may help, and returns its exit status.
func explain(err error) int {
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[exited](err); ok {
		return int(status)
	}
	if errors.Is(err, context.Canceled) {
		text := strings.ReplaceAll(err.Error(), context.Canceled.Error(), "interrupted")
		err = withStatus{errors.New(text), interrupted}
	}
	said := ""
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		if !strings.HasSuffix(said, line) { // as when writing and closing a file fail alike
			fmt.Fprintf(os.Stderr, "mini: %s\n", line)
		}
		said = line
	}
	if try := hint.Of(err); try != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", try)
	}
	if w, ok := errors.AsType[withStatus](err); ok {
		return w.status
	}
	if errors.Is(err, errUsage) {
		return notUsage
	}
	return failed
}

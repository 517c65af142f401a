//go:build linux

package session

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// event is a line of `lab check --json`; which fields are set depends on Event:
//
//	{"event":"begin","step":"03-mount","program":"/…","seed":123,"checks":17}
//	{"event":"build","ok":false,"output":"…"}
//	{"event":"check","step":"01-uts","name":"…","verdict":"pass","ms":12}
//	{"event":"end","passed":12,"failed":1,"skipped":0,"ok":false}
type event struct {
	Event   string   `json:"event"`
	Step    string   `json:"step"`
	Checks  int      `json:"checks"`
	Output  string   `json:"output"`
	Name    string   `json:"name"`
	Verdict string   `json:"verdict"`
	Reason  string   `json:"reason"`
	Failure *failure `json:"failure"`
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
	Skipped int      `json:"skipped"`
	OK      bool     `json:"ok"`
}

// failure is what a failed check says.
type failure struct {
	Command   string `json:"command"`
	Expected  string `json:"expected"`
	Kernel    string `json:"kernel"`
	Diagnosis string `json:"diagnosis"`
	Look      string `json:"look"`
}

// grace is how long a check has to undo what it made when it is ended.
const grace = 5 * time.Second

// mostSaid is how much of what a check says beside its events is kept.
const mostSaid = 16 << 10

// run is one check that was started.
type run struct {
	events chan event
	done   chan struct{} // closed when the process has been waited for

	cmd   *exec.Cmd
	said  *kept // on standard error
	mutex sync.Mutex
	ended bool // waited for: the pid may be somebody else's
}

// start starts a command whose output is events.
func start(command []string) (*run, error) {
	cmd := exec.Command(command[0], command[1:]...)
	// Ended with this process, and asked first: it undoes what it made. In a session
	// of its own it is not hit by the terminal's Ctrl-C, cannot take the terminal, and
	// its process group can be ended whole.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGTERM}
	said := &kept{}
	cmd.Stderr = said
	cmd.WaitDelay = time.Second // for those who hold its output open
	output, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = ours
	r := &run{events: make(chan event, 16), done: make(chan struct{}), cmd: cmd, said: said}
	started := make(chan error)
	go func() {
		// A Pdeathsig goes by the thread that started the child, so that one stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			r.wait()
		}
	}()
	err = errors.Join(<-started, ours.Close())
	if err != nil {
		return nil, errors.Join(err, output.Close())
	}
	go r.read(output)
	return r, nil
}

// wait waits for the process. What is left of its group is ended while the group's
// number is still its own: the leader is a zombie until it is waited for.
func (r *run) wait() {
	var info unix.Siginfo
	for errors.Is(unix.Waitid(unix.P_PID, r.cmd.Process.Pid, &info,
		unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
	r.mutex.Lock()
	r.signal(unix.SIGKILL)
	_ = r.cmd.Wait() // what it found is told by its events
	r.ended = true
	r.mutex.Unlock()
	close(r.done)
}

// signal sends a signal to the whole group; the mutex is held, or the process is
// not waited for yet.
func (r *run) signal(s unix.Signal) {
	if group := r.cmd.Process.Pid; group > 1 && !r.ended {
		_ = unix.Kill(-group, s) // there may be nobody left
	}
}

// stop ends the check and all that it has started.
func (r *run) stop() {
	r.mutex.Lock()
	r.signal(unix.SIGTERM)
	r.mutex.Unlock()
	go func() {
		select {
		case <-r.done:
		case <-time.After(grace):
			r.mutex.Lock()
			r.signal(unix.SIGKILL)
			r.mutex.Unlock()
		}
	}()
}

// read sends on what the check prints; lines that are no events are left out.
func (r *run) read(output *os.File) {
	defer output.Close()
	defer close(r.events)
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Event != "" {
			r.events <- e
		}
		if err != nil {
			return
		}
	}
}

// kept keeps the beginning of what is written to it.
type kept struct {
	mutex sync.Mutex
	text  strings.Builder
}

// Write keeps what there is room for, and says that all was taken.
func (k *kept) Write(p []byte) (int, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.text.Write(p[:min(len(p), mostSaid-k.text.Len())])
	return len(p), nil
}

// String returns what was kept.
func (k *kept) String() string {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return strings.TrimSpace(k.text.String())
}

var _ io.Writer = (*kept)(nil)

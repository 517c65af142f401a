//go:build linux

// Package tour shows each step of the path at work: it starts a container by
// the step's own program and reads what is different inside, while it runs,
// from /proc, /sys and netlink. Nothing is taken from what the program prints.
// A scene whose values do not prove the step's isolation fails.
package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/inspect"
)

// Value is one thing, read on the host and for the container.
type Value struct {
	Step      string `json:"step"`
	What      string `json:"what"`
	Host      string `json:"host"`
	Container string `json:"container"`
	Source    string `json:"source"` // the command that prints the container's
	// Fault says why this value does not show what the step promises; empty
	// when it does.
	Fault string `json:"fault,omitempty"`
}

// Scene is one step, shown.
type Scene struct {
	Step    string        `json:"step"`
	Command []string      `json:"command"` // what was run, quoted for a shell
	PID     int           `json:"pid"`     // the container's process, on the host
	Start   time.Duration `json:"start"`   // from the program's start to its command's first line
	Values  []Value       `json:"values"`
	Shared  []Value       `json:"shared"`         // what no namespace separates
	Note    string        `json:"note,omitempty"` // what this machine leaves out
	Error   string        `json:"error,omitempty"`
}

// Faults returns what went wrong, in the order of the values.
func (s Scene) Faults() []string {
	var faults []string
	if s.Error != "" {
		faults = append(faults, s.Error)
	}
	for _, v := range s.Values {
		if v.Fault != "" {
			faults = append(faults, v.What+": "+v.Fault)
		}
	}
	return faults
}

// stage is what a scene plays on.
type stage struct {
	*check.Subject
	dir      string // for files of the scene; the caller removes it
	rootless bool
	scene    *Scene
	held     *check.Held
}

// Play starts a step's container and reads the scene's values. The container
// runs until the returned function is called, so that others can look at it,
// too. Files that a scene needs are made below dir.
func Play(
	ctx context.Context, subject *check.Subject, dir string, rootless bool,
) (Scene, func(context.Context) error) {
	scene := Scene{Step: subject.Step}
	s := &stage{Subject: subject, dir: dir, rootless: rootless, scene: &scene}
	play, known := map[string]func(context.Context, *stage) error{
		"00-exec":    playExec,
		"01-uts":     playUTS,
		"02-pid":     playPID,
		"03-mount":   playMount,
		"04-net":     playNet,
		"05-cgroups": playCgroups,
		"06-unionfs": playUnionfs,
		"07-volumes": playVolumes,
		"08-user":    playUser,
	}[subject.Step]
	if !known {
		scene.Error = fmt.Sprintf("step %q has no scene", subject.Step)
	} else if err := errors.Join(play(ctx, s), s.shared()); err != nil {
		scene.Error = err.Error()
	}
	return scene, s.end
}

// shared reads what the container has in common with the host whatever its
// step: there is one kernel, and its clocks are everybody's.
func (s *stage) shared() error {
	if s.held == nil {
		return nil
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	release := fmt.Sprintf("/proc/%d/root/proc/sys/kernel/osrelease", s.held.PID)
	clock := fmt.Sprintf("/proc/%d/ns/time", s.held.PID)
	s.scene.Shared = append(s.scene.Shared, Value{
		Step: s.Step, What: "kernel release", Source: "cat " + release,
		Host: unix.ByteSliceToString(uts.Release[:]), Container: fileText(release),
	})
	host, errHost := inspect.Namespace(os.Getpid(), "time")
	inside, errInside := inspect.Namespace(s.held.PID, "time")
	if err := errors.Join(errHost, errInside); err != nil {
		return nil //nolint:nilerr // a kernel before 5.6 has no time namespaces: one clock
	}
	s.scene.Shared = append(s.scene.Shared, Value{
		Step: s.Step, What: "clock (time namespace)", Source: "readlink " + clock,
		Host: fmt.Sprint(host), Container: fmt.Sprint(inside),
	})
	return nil
}

// end stops the container.
func (s *stage) end(ctx context.Context) error {
	if s.held == nil {
		return nil
	}
	_, err := s.held.Stop(ctx)
	return err
}

// hold starts the container of the scene and waits for its command. The
// command is our agent, which waits, after a line of shell if one is given.
func (s *stage) hold(ctx context.Context, inside bool, prelude string, flags ...string) error {
	began := time.Now()
	held, err := s.HoldAfter(ctx, inside, prelude, flags...)
	return s.take(held, err, began)
}

// take makes a container that was started the scene's.
func (s *stage) take(held *check.Held, err error, began time.Time) error {
	if failure, ok := errors.AsType[*check.Failure](err); ok {
		return errors.New(failure.Kernel)
	}
	if err != nil {
		return err
	}
	s.held = held
	s.scene.Start = time.Since(began)
	s.scene.Command = check.ShellWords(held.Args)
	s.scene.PID = held.PID
	return nil
}

// show adds a value; fault is empty when the value shows what it should.
func (s *stage) show(what, host, container, source, fault string) {
	s.scene.Values = append(s.scene.Values, Value{
		Step: s.Step, What: what, Host: host, Container: container, Source: source, Fault: fault,
	})
}

// differs adds a value that must not be the host's, nor missing.
func (s *stage) differs(what, host, container, source string) {
	s.demand(what, host, container, source, container != "" && host != container,
		"it is the host's")
}

// demand adds a value with a fault, unless it shows what it should.
func (s *stage) demand(what, host, container, source string, shows bool, fault string) {
	if shows {
		fault = ""
	}
	s.show(what, host, container, source, fault)
}

// equals adds a value that must be the host's.
func (s *stage) equals(what, host, container, source string) {
	s.demand(what, host, container, source, host == container, "it is not the host's")
}

// namespace adds a namespace, which must be the container's own or the host's.
func (s *stage) namespace(kind string, own bool) error {
	host, errHost := inspect.Namespace(os.Getpid(), kind)
	inside, errInside := inspect.Namespace(s.held.PID, kind)
	if err := errors.Join(errHost, errInside); err != nil {
		return err
	}
	add := s.equals
	if own {
		add = s.differs
	}
	add(kind+" namespace", fmt.Sprint(host), fmt.Sprint(inside),
		fmt.Sprintf("readlink /proc/%d/ns/%s", s.held.PID, kind))
	return nil
}

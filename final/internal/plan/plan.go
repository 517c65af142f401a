// Package plan compiles a container's configuration to the list of operations
// that make the container. A container is nothing but that list:
//
//	p, err := plan.Compile(container, host)
//	p.Print(os.Stdout)
//
// Compile is a pure function: it looks at nothing but its arguments, and what
// depends on the machine enters by Host. Whoever performs the operations
// (packages runtime and initproc) performs these, in this order, and no others.
//
// An operation knows who performs it: the runtime, a process of the host's, or
// init, the process that is cloned and becomes the container's command. It knows
// its system call, the shell command that does the same, and the page of the
// manual. What it makes for others stands in a slot, such as fd:root. Where it
// can be refused for a known reason it names what is done instead.
//
// The files of this package are one topic each, as in the steps of the course:
// birth.go has the processes, names.go 01-uts, root.go and mounts.go 03-mount,
// limits.go 05-cgroups, binds.go 07-volumes, rights.go 08-user. See clone(2), mount(2),
// pivot_root(2), namespaces(7).
package plan

import (
	"fmt"
	"strings"

	"lab/final/internal/wire"
)

// Side is who performs an operation.
type Side string

// The two processes of which one makes the container and the other becomes it.
const (
	Runtime Side = "runtime"
	Init    Side = "init"
)

// Op is one operation.
type Op struct {
	Title string // the topic, a title of the course
	Side  Side
	Slot  string // what it makes for later ones: fd:root, pid:init
	Do    Action
	Else  *Alternative
}

// Alternative is what is done instead when the kernel refuses for a known reason.
type Alternative struct {
	Errno string // EPERM
	Do    Action // nil: go on without
}

// Action is what an operation does: one of the types of this package.
type Action interface {
	Words() Words
}

// Words tell a person about an action.
type Words struct {
	Does  string // mount proc on /proc: what an error begins with
	Call  string // mount("proc", "ROOT/proc", "proc", MS_NOSUID, NULL)
	Shell string // mount -t proc proc ROOT/proc; empty where no shell can
	Man   string // mount(2)
	Undo  string // what takes it back, where it would outlive the container
}

// Plan is a container as operations, in the order in which they happen.
type Plan struct {
	Create []Op // what `create` does
	Start  []Op // what `start` does, and init after it

	Warnings []string // what the configuration asks for and does not get
}

// All returns the operations of both phases.
func (p Plan) All() []Op { return append(append([]Op{}, p.Create...), p.Start...) }

// Of returns the operations of one side.
func Of(side Side, ops []Op) []Op {
	var own []Op
	for _, op := range ops {
		if op.Side == side {
			own = append(own, op)
		}
	}
	return own
}

// Encode writes operations for init. Each is its kind and its fields, and the error for
// which there is an alternative, or nothing, with that one's kind and fields.
func Encode(ops []Op) (text []byte, err error) {
	for _, op := range ops {
		if text, err = encode(text, op.Do); err != nil {
			return nil, err
		}
		alternative := op.Else
		if alternative == nil {
			alternative = &Alternative{}
		}
		if text, err = wire.Append(text, alternative.Errno); err != nil {
			return nil, err
		}
		if text, err = encode(text, alternative.Do); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// encode writes an action; none is one without a kind.
func encode(text []byte, a Action) ([]byte, error) {
	if a == nil {
		return wire.Append(text, "")
	}
	text, err := wire.Append(text, Kind(a))
	if err != nil {
		return nil, err
	}
	return wire.Append(text, a)
}

// Decode reads operations as Encode has written them.
func Decode(text []byte) (ops []Op, err error) {
	known, r := kinds(), wire.NewReader(text)
	for !r.Empty() {
		op, alternative := Op{Side: Init}, &Alternative{}
		if op.Do, err = decode(known, r); err != nil {
			return nil, err
		}
		if err := r.Read(&alternative.Errno); err != nil {
			return nil, err
		}
		if alternative.Do, err = decode(known, r); err != nil {
			return nil, err
		}
		if alternative.Errno != "" {
			op.Else = alternative
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// Kind is an action's name: that of its type.
func Kind(a Action) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", a), "plan.")
}

// Error is what went wrong, and in which operation.
type Error struct {
	Op  string // as in Words.Does
	Err error
}

// Error begins with the operation: "mount proc on /proc: operation not permitted".
func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns what the kernel said.
func (e *Error) Unwrap() error { return e.Err }

// decode reads an action, or nil.
func decode(known map[string]maker, r *wire.Reader) (Action, error) {
	var kind string
	if err := r.Read(&kind); err != nil || kind == "" {
		return nil, err
	}
	read, ok := known[kind]
	if !ok {
		return nil, fmt.Errorf("no operation is called %q", kind)
	}
	return read(r)
}

// maker reads an action of one type.
type maker = func(*wire.Reader) (Action, error)

// as is the maker of one type of action.
func as[A Action](r *wire.Reader) (Action, error) {
	var a A
	err := r.Read(&a)
	return a, err
}

// kinds are the actions that init is sent, by name.
func kinds() map[string]maker {
	return map[string]maker{
		"NewSession": as[NewSession], "NewKeyring": as[NewKeyring],
		"UnshareCgroup": as[UnshareCgroup],
		"Sethostname":   as[Sethostname], "Setdomainname": as[Setdomainname],
		"Propagate": as[Propagate], "BindRoot": as[BindRoot], "Mount": as[Mount],
		"Bind": as[Bind], "BindHost": as[BindHost], "MakeDir": as[MakeDir],
		"Node": as[Node], "Link": as[Link], "Mask": as[Mask], "Protect": as[Protect],
		"ReadonlyMount": as[ReadonlyMount], "BindNode": as[BindNode],
		"Sysctl": as[Sysctl], "Console": as[Console],
		"Hooks": as[Hooks], "Sync": as[Sync], "PivotRoot": as[PivotRoot],
		"MoveRoot": as[MoveRoot], "Umask": as[Umask], "Rlimit": as[Rlimit],
		"Personality": as[Personality], "Schedule": as[Schedule],
		"IOPriority": as[IOPriority], "SetGroups": as[SetGroups],
		"FindProgram": as[FindProgram], "AwaitStart": as[AwaitStart],
		"NoNewPrivs": as[NoNewPrivs], "Seccomp": as[Seccomp], "Bounding": as[Bounding],
		"SetUser": as[SetUser], "Capabilities": as[Capabilities], "Chdir": as[Chdir],
		"CloseFiles": as[CloseFiles], "Exec": as[Exec],
		"Label": as[Label], "Affinity": as[Affinity],
	}
}

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
	"encoding/json"
	"fmt"
	"strings"
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

// wire is the form in which operations go to init.
type wire struct {
	Kind  string          `json:"kind"`
	Do    json.RawMessage `json:"do"`
	Slot  string          `json:"slot,omitempty"`
	Errno string          `json:"errno,omitempty"`
	Kind2 string          `json:"elseKind,omitempty"`
	Else  json.RawMessage `json:"else,omitempty"`
}

// MarshalJSON writes an operation so that Decode makes the same of it.
func (op Op) MarshalJSON() ([]byte, error) {
	w := wire{Kind: Kind(op.Do), Slot: op.Slot}
	var err error
	if w.Do, err = json.Marshal(op.Do); err != nil {
		return nil, err
	}
	if op.Else != nil {
		w.Errno = op.Else.Errno
		if op.Else.Do != nil {
			w.Kind2 = Kind(op.Else.Do)
			if w.Else, err = json.Marshal(op.Else.Do); err != nil {
				return nil, err
			}
		}
	}
	return json.Marshal(w)
}

// Decode reads operations as they were written by MarshalJSON.
func Decode(text []byte) ([]Op, error) {
	var all []wire
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	known := kinds()
	ops := make([]Op, len(all))
	for i, w := range all {
		var err error
		if ops[i], err = w.op(known); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// op makes an operation of what was sent.
func (w wire) op(known map[string]maker) (Op, error) {
	op := Op{Side: Init, Slot: w.Slot}
	var err error
	if op.Do, err = decode(known, w.Kind, w.Do); err != nil || w.Errno == "" {
		return op, err
	}
	op.Else = &Alternative{Errno: w.Errno}
	if w.Kind2 != "" {
		op.Else.Do, err = decode(known, w.Kind2, w.Else)
	}
	return op, err
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

// decode makes an action of its kind and its JSON.
func decode(known map[string]maker, kind string, text json.RawMessage) (Action, error) {
	read, ok := known[kind]
	if !ok {
		return nil, fmt.Errorf("no operation is called %q", kind)
	}
	return read(text)
}

// maker makes an action of its JSON.
type maker = func(json.RawMessage) (Action, error)

// as is the maker of one type of action.
func as[A Action](text json.RawMessage) (Action, error) {
	var a A
	err := json.Unmarshal(text, &a)
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

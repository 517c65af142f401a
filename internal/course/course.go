// Package course is the manifest of the path: which steps there are, in what
// order, and what each of them adds.
package course

import (
	"fmt"
	"strconv"
	"strings"
)

// Step is one program of the path.
type Step struct {
	ID     string // two digits and a word, the program's name: "03-mount"
	Title  string // what it adds, in a few words
	Before string // what a learner sees before it
	After  string // and after
	Flags  string // the flags it brings
	Rootfs bool   // takes a root file system
}

// Steps returns the path in order; each step's parent is the one before it.
func Steps() []Step {
	return []Step{
		{
			ID: "00-exec", Title: "run a command", Flags: "",
			Before: "nothing runs", After: "a command runs; nothing is isolated",
		},
		{
			ID: "01-uts", Title: "a host name of its own", Flags: "-hostname NAME",
			Before: "sethostname renames the host", After: "hostname changes inside only",
		},
		{
			ID: "02-pid", Title: "a process tree of its own", Flags: "",
			Before: "all processes in sight", After: "PID 1, and orphans are reaped",
		},
		{
			ID: "03-mount", Title: "a root file system of its own",
			Flags: "-rootfs DIR", Rootfs: true,
			Before: "the host's files, and a ps that lies", After: "own /, /proc, /sys and /dev",
		},
		{
			ID: "04-net", Title: "network devices of its own", Flags: "-ip CIDR", Rootfs: true,
			Before: "the host's network", After: "eth0, a bridge, NAT",
		},
		{
			ID: "05-cgroups", Title: "limits", Flags: "-memory SIZE -cpus N -pids N", Rootfs: true,
			Before: "all the memory there is", After: "a limit, and the kernel's word on it",
		},
		{
			ID: "06-unionfs", Title: "layers", Flags: "-lower A:B -upper DIR", Rootfs: true,
			Before: "one copy a container", After: "shared lower layers, a writable upper one",
		},
		{
			ID: "07-volumes", Title: "volumes", Flags: "-v HOST:CTR[:ro]", Rootfs: true,
			Before: "data ends with the container", After: "a directory of the host inside",
		},
		{
			ID: "08-user", Title: "users of its own", Flags: "-user", Rootfs: true,
			Before: "root inside is root outside", After: "root inside, nobody special outside",
		},
	}
}

// Find returns the step that a person means by "3", "03", "03-mount" or
// "mount".
func Find(name string) (Step, error) {
	number, err := strconv.Atoi(name)
	for i, s := range Steps() {
		_, word, _ := strings.Cut(s.ID, "-")
		if name == s.ID || name == word || (err == nil && number == i) {
			return s, nil
		}
	}
	last := Steps()[len(Steps())-1].ID
	return Step{}, fmt.Errorf("step %q: there is none of that name; they go from 00-exec to %s",
		name, last)
}

// UpTo returns a step's ancestors and the step itself, in order: what the step
// must be able to do.
func UpTo(id string) []Step {
	for i, s := range Steps() {
		if s.ID == id {
			return Steps()[:i+1]
		}
	}
	return nil
}

package cgroup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Rule allows or forbids devices. In a list a later rule decides over an earlier one.
type Rule struct {
	Allow  bool   `json:"allow"`
	Type   string `json:"type"`   // a: all, b: block, c: character
	Major  int64  `json:"major"`  // any: -1
	Minor  int64  `json:"minor"`  // any: -1
	Access string `json:"access"` // of r (read), w (write) and m (mknod)
}

// anyNumber is a major or minor number that stands for all.
const anyNumber = -1

// everything is the access of a rule that concerns all kinds.
const everything = "rwm"

// String is the rule as version 1 writes it: "c 1:3 rwm".
func (r Rule) String() string {
	number := func(n int64) string {
		if n == anyNumber {
			return "*"
		}
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s %s:%s %s", r.Type, number(r.Major), number(r.Minor), r.Access)
}

// limitDevices adds the list of devices. Version 1 has a controller for it, version 2
// lets an eBPF program decide. Neither is for root of a user namespace, in which no
// device can be made (mknod(2)) and what can be opened is its files' affair.
func (l *Limits) limitDevices(list []specs.LinuxDeviceCgroup, h Host) error {
	rules, err := deviceRules(list)
	if err != nil || len(rules) == 0 || h.Rootless {
		return err
	}
	switch {
	case h.Version("devices") == 1:
		writes, err := devicesV1(rules)
		l.add(writes)
		return err
	case h.Version("cgroup") == 2:
		l.need("cgroup")
		l.Devices = rules
		return nil
	}
	return h.missing("devices", "linux.resources.devices")
}

// deviceRules reads the list: what is allowed beyond nothing, as its name says
// (config-linux.md, "Allowed Device list"), and what every container has. A list that
// comes to "all" is no rule.
func deviceRules(list []specs.LinuxDeviceCgroup) ([]Rule, error) {
	if len(list) == 0 {
		return nil, nil
	}
	rules := []Rule{{Type: "a", Major: anyNumber, Minor: anyNumber, Access: everything}}
	for i, d := range list {
		r, err := ruleOf(d)
		if err != nil {
			return nil, fmt.Errorf("linux.resources.devices[%d]: %w", i, err)
		}
		switch {
		case r.isAll():
			rules = []Rule{r} // nothing before it counts
		case !slices.Contains(rules[1:], r):
			rules = append(rules, r)
		}
	}
	if !rules[0].Allow {
		return appendDefault(rules), nil
	}
	if len(rules) == 1 {
		return nil, nil
	}
	return rules, nil
}

// ruleOf reads one entry of config.json.
func ruleOf(d specs.LinuxDeviceCgroup) (Rule, error) {
	r := Rule{d.Allow, d.Type, anyNumber, anyNumber, ""}
	switch d.Type {
	case "":
		r.Type = "a"
	case "a", "b", "c":
	default:
		return r, fmt.Errorf("type %q: neither a, b nor c", d.Type)
	}
	const mostMajor, mostMinor = 1<<12 - 1, 1<<20 - 1 // dev_t of the kernel
	var err error
	if r.Major, err = deviceNumber("major", d.Major, mostMajor); err != nil {
		return r, err
	}
	if r.Minor, err = deviceNumber("minor", d.Minor, mostMinor); err != nil {
		return r, err
	}
	if strings.Trim(d.Access, everything) != "" {
		return r, fmt.Errorf("access %q: holds more than r, w and m", d.Access)
	}
	for _, kind := range []string{"r", "w", "m"} { // in this order, each once
		if d.Access == "" || strings.Contains(d.Access, kind) {
			r.Access += kind
		}
	}
	return r, nil
}

// deviceNumber reads a number, where none or -1 is any.
func deviceNumber(name string, n *int64, most int64) (int64, error) {
	if n == nil || *n == anyNumber {
		return anyNumber, nil
	}
	if *n < 0 || *n > most {
		return 0, fmt.Errorf("%s %d: not from 0 to %d", name, *n, most)
	}
	return *n, nil
}

// isAll reports whether the rule decides about everything.
func (r Rule) isAll() bool {
	return r.Type == "a" && r.Major == anyNumber && r.Minor == anyNumber && r.Access == everything
}

// appendDefault allows the devices that every container has (config-linux.md,
// "Default Devices"), and to make nodes of all others: init makes those of
// linux.devices, and one that must not be opened is of no use.
func appendDefault(rules []Rule) []Rule {
	const null, zero, full, random, urandom, tty, console, ptmx = 3, 5, 7, 8, 9, 0, 1, 2
	const memory, terminal, pts = 1, 5, 136
	added := []Rule{
		{true, "c", anyNumber, anyNumber, "m"},
		{true, "b", anyNumber, anyNumber, "m"},
		{true, "c", memory, null, everything},
		{true, "c", memory, zero, everything},
		{true, "c", memory, full, everything},
		{true, "c", memory, random, everything},
		{true, "c", memory, urandom, everything},
		{true, "c", terminal, tty, everything},
		{true, "c", terminal, console, everything},
		{true, "c", terminal, ptmx, everything},
		{true, "c", pts, anyNumber, everything},
	}
	for _, r := range added {
		if !slices.Contains(rules, r) {
			rules = append(rules, r)
		}
	}
	return rules
}

// devicesV1 writes the rules for version 1, which holds either a list of what is
// allowed or one of what is forbidden. See cgroup-v1/devices.rst.
//
//	echo a > devices.deny
//	echo "c 1:3 rwm" > devices.allow
func devicesV1(rules []Rule) ([]Write, error) {
	var ws []Write
	for i, r := range rules {
		if !expressible(rules[:i], r) {
			return nil, fmt.Errorf("linux.resources.devices: %s: cgroup version 1 cannot "+
				"except a part of what an earlier rule says", r)
		}
		w := Write{Controller: "devices", File: "devices.deny", Value: r.String()}
		if r.Allow {
			w.File = "devices.allow"
		}
		w.From = setting("devices", fmt.Sprintf("%s %s", strings.TrimPrefix(w.File, "devices."), r))
		if r.isAll() {
			w.Value = "a"
		}
		ws = append(ws, w)
	}
	return ws, nil
}

// expressible reports whether version 1 does what a rule says. Of the same kind as
// the first rule, it takes back exceptions: those of the very same devices, while it
// leaves the ones that it meets in part alone without a word. All types together it
// takes for everything.
func expressible(before []Rule, r Rule) bool {
	if r.isAll() {
		return true
	}
	if r.Type == "a" {
		return false
	}
	if r.Allow != before[0].Allow {
		return true
	}
	meets := func(x, y int64) bool { return x == y || x == anyNumber || y == anyNumber }
	for _, b := range before[1:] {
		same := b.Type == r.Type && b.Major == r.Major && b.Minor == r.Minor
		if b.Allow != r.Allow && !same && b.Type == r.Type && meets(b.Major, r.Major) &&
			meets(b.Minor, r.Minor) && strings.ContainsAny(b.Access, r.Access) {
			return false
		}
	}
	return true
}

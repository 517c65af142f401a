package spec

import (
	"encoding/json"
	"errors"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// document is a configuration as it is read. Before package json reads the first value of
// a type, it finds out about all the types that its fields lead to, be they in the text or
// not, which took a tenth of a start. So the large parts that most configurations lack are
// read by themselves, and only if they are there: a field here hides the one of its name
// in what is embedded.
type document struct {
	specs.Spec
	Linux *linux `json:"linux"`

	// Other systems' parts are not read, as fields that are not known are not.
	Solaris unread `json:"solaris"`
	Windows unread `json:"windows"`
	VM      unread `json:"vm"`
	ZOS     unread `json:"zos"`
	FreeBSD unread `json:"freebsd"`
}

// linux is the part of Linux.
type linux struct {
	specs.Linux
	Resources    json.RawMessage `json:"resources"`
	Seccomp      json.RawMessage `json:"seccomp"`
	IntelRdt     json.RawMessage `json:"intelRdt"`
	NetDevices   json.RawMessage `json:"netDevices"`
	MemoryPolicy json.RawMessage `json:"memoryPolicy"`
}

// unread is a value that is passed over.
type unread struct{}

// UnmarshalJSON passes it over.
func (*unread) UnmarshalJSON([]byte) error { return nil }

// spec is the configuration in the types of the specification.
func (d *document) spec() (*specs.Spec, error) {
	config := &d.Spec
	if d.Linux == nil {
		return config, nil
	}
	l := &d.Linux.Linux
	config.Linux = l
	for _, part := range []struct {
		path string
		text json.RawMessage
		into any
	}{
		{"linux.resources", d.Linux.Resources, &l.Resources},
		{"linux.seccomp", d.Linux.Seccomp, &l.Seccomp},
		{"linux.intelRdt", d.Linux.IntelRdt, &l.IntelRdt},
		{"linux.netDevices", d.Linux.NetDevices, &l.NetDevices},
		{"linux.memoryPolicy", d.Linux.MemoryPolicy, &l.MemoryPolicy},
	} {
		if part.text == nil {
			continue
		}
		if err := json.Unmarshal(part.text, part.into); err != nil {
			return nil, below(part.path, err)
		}
	}
	return config, nil
}

// below has an error's path begin at the configuration's root.
func below(path string, err error) error {
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind.Field = strings.TrimSuffix(path+"."+kind.Field, ".")
	}
	return err
}

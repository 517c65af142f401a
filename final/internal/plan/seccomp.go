package plan

import (
	"fmt"

	"lab/final/internal/seccomp"
)

// Seccomp loads the filter of system calls: from here on the kernel asks it first.
type Seccomp struct {
	seccomp.Filter
	Rules    int    `json:"rules"`
	Metadata string `json:"metadata,omitempty"` // for who answers calls
	// Exec is done at once, with no call in between that the filter might forbid.
	Exec *Exec `json:"exec,omitempty"`
}

// Words tell about it.
func (s Seccomp) Words() Words {
	return Words{
		Does: "load the system call filter",
		Call: fmt.Sprintf("seccomp(SECCOMP_SET_MODE_FILTER, %#x, %d instructions for %d rules)",
			s.Flags, s.Len(), s.Rules),
		Man: "seccomp(2)",
	}
}

// DialListener connects to the process that answers system calls.
type DialListener struct {
	Path string `json:"path"`
}

// Words tell about it.
func (d DialListener) Words() Words {
	return Words{
		Does: "connect to the seccomp listener " + d.Path,
		Call: fmt.Sprintf("connect(socket(AF_UNIX, SOCK_STREAM), %q)", d.Path), Man: "unix(7)",
	}
}

package plan

import (
	"fmt"
	"strings"
)

// Sethostname names the container.
type Sethostname struct {
	Name string `json:"name"`
}

// Words tell about it.
func (s Sethostname) Words() Words {
	return Words{
		Does:  fmt.Sprintf("set the host name %q", s.Name),
		Call:  fmt.Sprintf("sethostname(%q, %d)", s.Name, len(s.Name)),
		Shell: "hostname " + s.Name,
		Man:   "sethostname(2)",
	}
}

// Setdomainname gives the container's NIS domain a name.
type Setdomainname struct {
	Name string `json:"name"`
}

// Words tell about it.
func (s Setdomainname) Words() Words {
	return Words{
		Does:  fmt.Sprintf("set the domain name %q", s.Name),
		Call:  fmt.Sprintf("setdomainname(%q, %d)", s.Name, len(s.Name)),
		Shell: "domainname " + s.Name,
		Man:   "setdomainname(2)",
	}
}

// Sysctl sets a kernel parameter of one of the container's namespaces.
type Sysctl struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Words tell about it.
func (s Sysctl) Words() Words {
	return Words{
		Does:  fmt.Sprintf("set the kernel parameter %s to %q", s.Key, s.Value),
		Call:  fmt.Sprintf("write(%q, %q)", "/proc/sys/"+s.File(), s.Value),
		Shell: fmt.Sprintf("sysctl -w %s=%q", s.Key, s.Value),
		Man:   "proc_sys(5)",
	}
}

// File returns the parameter's file below /proc/sys. As in sysctl(8), either dots or
// slashes part the words, whichever comes first.
//
//	net.ipv4.ip_forward, net/ipv4/conf/eth0.1/forwarding
func (s Sysctl) File() string {
	first := strings.IndexAny(s.Key, "./")
	if first < 0 || s.Key[first] == '/' {
		return s.Key
	}
	return strings.NewReplacer(".", "/", "/", ".").Replace(s.Key)
}

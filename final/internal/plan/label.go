package plan

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The security modules of the kernel that confine a command by a label.
const (
	AppArmor = "AppArmor"
	SELinux  = "SELinux"
)

// Require makes sure that the machine has a security module: what is to be confined by
// one that is not there would not be confined.
type Require struct {
	Module string `json:"module"`
}

// File is there where the module is at work, and begins with Y or a number.
func (r Require) File() string {
	if r.Module == AppArmor {
		return "/sys/module/apparmor/parameters/enabled"
	}
	return "/sys/fs/selinux/enforce"
}

// Words tell about it.
func (r Require) Words() Words {
	return Words{
		Does: "look for " + r.Module, Call: fmt.Sprintf("open(%q)", r.File()),
		Shell: "cat " + r.File(), Man: "proc_pid_attr(5)",
	}
}

// Label has the next execve(2) put the process under a profile or into a context.
type Label struct {
	Module string `json:"module"`
	Text   string `json:"text"`
}

// File is where the module is told, below /proc, and Written is what it is told.
func (l Label) File() (file, written string) {
	if l.Module == AppArmor {
		return "thread-self/attr/apparmor/exec", "exec " + l.Text
	}
	return "thread-self/attr/exec", l.Text
}

// Words tell about it.
func (l Label) Words() Words {
	file, written := l.File()
	shell := "runcon " + l.Text + " …"
	if l.Module == AppArmor {
		shell = "aa-exec -p " + l.Text + " -- …"
	}
	return Words{
		Does:  fmt.Sprintf("have %s confine the command by %s", l.Module, l.Text),
		Call:  fmt.Sprintf("write(open(\"/proc/%s\"), %q)", file, written),
		Shell: shell, Man: "proc_pid_attr(5)",
	}
}

// labels are what a process is to be confined by.
func labels(p *specs.Process) []Label {
	given := []Label{{AppArmor, p.ApparmorProfile}, {SELinux, p.SelinuxLabel}}
	return slices.DeleteFunc(given, func(l Label) bool { return l.Text == "" })
}

// modules compiles the search for the modules that a process, or the mounts, ask for.
func (c *compiler) modules(p *specs.Process) {
	wanted := labels(p)
	if c.config.Linux.MountLabel != "" && p.SelinuxLabel == "" {
		wanted = append(wanted, Label{Module: SELinux})
	}
	for _, l := range wanted {
		c.add(TitleUser, Runtime, "", Require{l.Module})
	}
}

// labeled is a file system's own options with the context of its files, for those that
// can have one.
func (c *compiler) labeled(kind string, data []string) []string {
	label := c.config.Linux.MountLabel
	if label == "" || !slices.Contains([]string{"tmpfs", "devpts", "ramfs", "overlay"}, kind) {
		return data
	}
	return append(slices.Clone(data), fmt.Sprintf("context=%q", label))
}

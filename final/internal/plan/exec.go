package plan

import (
	"cmp"
	"fmt"

	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Enter takes the next process into all namespaces of the container's init, by one
// call: rights over the others come with the user namespace.
type Enter struct {
	PID int `json:"pid"`
}

// Words tell about it.
func (e Enter) Words() Words {
	return Words{
		Does:  "join the namespaces of init",
		Call:  fmt.Sprintf("setns(pidfd_open(%d), …)  for all that are not ours", e.PID),
		Shell: fmt.Sprintf("nsenter --all --target %d …", e.PID),
		Man:   "setns(2)",
	}
}

// JoinInit joins the cgroup in which the container's init is.
type JoinInit struct {
	PID int `json:"pid"`
}

// Words tell about it.
func (j JoinInit) Words() Words {
	return Words{
		Does: "join the cgroup of init",
		Call: fmt.Sprintf("CLONE_INTO_CGROUP  or  write(\"tasks\", \"0\")  of process %d's", j.PID),
		Man:  "cgroups(7)",
	}
}

// confinedAs is a process that names no label of its own, with those of init: else it
// would not be confined at all.
func confinedAs(process, init *specs.Process) *specs.Process {
	p := *process
	p.ApparmorProfile = cmp.Or(p.ApparmorProfile, init.ApparmorProfile)
	p.SelinuxLabel = cmp.Or(p.SelinuxLabel, init.SelinuxLabel)
	return &p
}

// CompileExec says what adds a process to a running container, whose configuration is
// in the request; process is what to execute, init the container's first process.
func CompileExec(
	request *spec.Container, process *specs.Process, init int, host Host,
) (Plan, error) {
	if err := spec.CheckProcess(".process", process); err != nil {
		return Plan{}, err
	}
	c := &compiler{id: request.ID, request: request, config: request.Config, host: host}
	process = confinedAs(process, c.config.Process)
	c.modules(process)
	c.add(TitlePID, Runtime, "fd:binary", OpenBinary{})
	if process.Terminal {
		c.add(TitlePID, Runtime, "fd:console", DialConsole{})
	}
	c.dialListener()
	c.add(TitleCgroups, Runtime, "", JoinInit{init})
	c.add(TitlePID, Runtime, "", Enter{init})
	c.affinity(Runtime, process)
	var clone Clone
	c.maker(&clone, process.User)
	c.add(TitlePID, Runtime, "pid:process", clone)
	if score := c.config.Process.OOMScoreAdj; score != nil {
		c.add(TitleCgroups, Runtime, "", OOMScore{*score})
	}
	c.affinity(Init, process)
	c.add(TitlePID, Init, "", NewSession{})
	c.keyring()
	if process.Terminal {
		c.terminal(process, false)
	}
	c.process(process)
	c.personality()
	c.user(process)
	c.sync(Created)
	p := Plan{Create: c.ops}
	c.ops = nil
	err := c.become(process)
	p.Start, p.Warnings = c.ops, c.warnings
	return p, err
}

package plan

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Affinity has a thread compute on some of the processors alone.
type Affinity struct {
	CPUs string `json:"cpus"` // 0-3,7
}

// Words tell about it.
func (a Affinity) Words() Words {
	return Words{
		Does:  "compute on the processors " + a.CPUs,
		Call:  fmt.Sprintf("sched_setaffinity(0, {%s})", a.CPUs),
		Shell: "taskset --cpu-list " + a.CPUs + " …", Man: "sched_setaffinity(2)",
	}
}

// affinity compiles where a process that is added computes: before it is in the
// container's cgroup its maker does, and it inherits that; or once it is there.
func (c *compiler) affinity(side Side, p *specs.Process) {
	if p.ExecCPUAffinity == nil {
		return
	}
	cpus := p.ExecCPUAffinity.Final
	if side == Runtime {
		cpus = p.ExecCPUAffinity.Initial
	}
	if cpus != "" {
		c.add(TitleCgroups, side, "", Affinity{cpus})
	}
}

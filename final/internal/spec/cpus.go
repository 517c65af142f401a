package spec

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// CPUs reads a list of processors, as the kernel writes them.
//
//	0-3,7
func CPUs(list string) (set unix.CPUSet, err error) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		const most = 1024 // CPU_SETSIZE
		first, wrong1 := strconv.ParseUint(from, 10, 16)
		last, wrong2 := strconv.ParseUint(to, 10, 16)
		if wrong1 != nil || wrong2 != nil || first > last || last >= most {
			return set, fmt.Errorf("%q is no list of processors such as 0-3,7", list)
		}
		for cpu := first; cpu <= last; cpu++ {
			set.Set(int(cpu))
		}
	}
	return set, nil
}

// checkAffinity refuses what is no list of processors.
func checkAffinity(field string, p *specs.Process) error {
	if p.ExecCPUAffinity == nil {
		return nil
	}
	for _, list := range []struct{ field, text string }{
		{".initial", p.ExecCPUAffinity.Initial}, {".final", p.ExecCPUAffinity.Final},
	} {
		if list.text == "" {
			continue
		}
		if _, err := CPUs(list.text); err != nil {
			return wrong(field+".execCPUAffinity"+list.field, "%w", err)
		}
	}
	return nil
}

//go:build linux

package mutation

// cgroupMutations break 05-cgroups.
func cgroupMutations() []mutation {
	return []mutation{
		{name: "no limit is written", edits: []edit{
			{"cgroup.go", "err := group.limit(l); err != nil", "err := error(nil); err != nil"},
		}},
		{name: "the command is no member", edits: []edit{
			{"cgroup.go", "\t\tgroup.admit(attr)\n", ""},
		}},
		{name: "no cgroup namespace", edits: []edit{
			{"cgroup.go", "unix.Unshare(unix.CLONE_NEWCGROUP)", "error(nil)"},
		}},
		{name: "the cgroups stay", edits: []edit{
			{"cgroup.go", "c.undo = append(c.undo, group.remove)", ""},
		}},
		{name: "what a killed run left stays", edits: []edit{
			{"cgroup.go", "\t\tremoveStale(p.parent)\n", ""},
		}},
		{name: "the limit of processes is none", edits: []edit{
			{
				"cgroup_v1.go", `write(g.dir, "pids.max", strconv.FormatInt(l.PIDs, 10))`,
				`write(g.dir, "pids.max", "max")`,
			},
			{
				"cgroup_v2.go", `write(g.dir, "pids.max", strconv.FormatInt(l.PIDs, 10))`,
				`write(g.dir, "pids.max", "max")`,
			},
		}},
		{name: "twice the CPU time", edits: []edit{
			{"limits.go", "l.CPUs*100_000", "l.CPUs*200_000"},
		}},
	}
}

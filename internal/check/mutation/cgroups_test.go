//go:build linux

package mutation

// cgroupMutations break 05-cgroups.
func cgroupMutations() []mutation { return append(joiningMutations(), limitMutations()...) }

// joiningMutations are about when and where the command becomes a member.
func joiningMutations() []mutation {
	const unshare = "\tif err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {\n" +
		"\t\treturn fmt.Errorf(\"unshare CLONE_NEWCGROUP: %w\", err)\n\t}\n"
	// Moved from outside, and when the command already runs.
	const moveLate = "\ttime.Sleep(100 * time.Millisecond)\n" +
		"\tfor _, g := range c.Limits.groups {\n\t\tdir := \"\"\n" +
		"\t\tswitch g := g.(type) {\n\t\tcase *v1:\n\t\t\tdir = g.dir\n" +
		"\t\tcase *v2:\n\t\t\tdir = g.dir\n\t\t}\n" +
		"\t\t_ = write(dir, \"cgroup.procs\", strconv.Itoa(c.child.Pid))\n\t}\n"
	return []mutation{
		{name: "the command is no member", edits: []edit{
			{"cgroup.go", "\t\tgroup.admit(attr)\n", ""},
		}},
		{name: "no cgroup namespace", toured: true, edits: []edit{
			{"cgroup.go", "unix.Unshare(unix.CLONE_NEWCGROUP)", "error(nil)"},
		}},
		{name: "the parent moves the command when it runs", edits: []edit{
			{"cgroup.go", "\t\tgroup.admit(attr)\n", ""},
			{
				"main.go", "\treturn c.report(wait(c))",
				"\tmoveLate(c)\n\treturn c.report(wait(c))",
			},
			{
				"cgroup.go", "// limit makes",
				"func moveLate(c *container) {\n" + moveLate + "}\n\n// limit makes",
			},
		}},
		{name: "the cgroup namespace is made before joining", v1: true, edits: []edit{
			{"cgroup.go", unshare, ""},
			{
				"cgroup.go", "\tfor i := range c.Limits.Tasks {\n",
				unshare + "\tfor i := range c.Limits.Tasks {\n",
			},
		}},
	}
}

// limitMutations are about what is limited, told and left.
func limitMutations() []mutation {
	return []mutation{
		{name: "no limit is written", toured: true, edits: []edit{
			{"cgroup.go", "err := group.limit(l); err != nil", "err := error(nil); err != nil"},
		}},
		{name: "swap is not limited", unless: "need swap accounting", edits: []edit{
			{"cgroup_v1.go", `write(g.dir, "memory.memsw.limit_in_bytes", bytes)`, "error(nil)"},
			{"cgroup_v2.go", `unlessNoSwap(write(g.dir, "memory.swap.max", "0"))`, "nil"},
		}},
		{name: "lack of memory is told of any 137", edits: []edit{
			{"report.go", "case n.oomKills > 0 && status == 137:", "case status == 137:"},
		}},
		{name: "lack of memory is not told", edits: []edit{
			{"report.go", "case n.oomKills > 0 && status == 137:", "case status == 999:"},
			{"report.go", "case n.oomKills == 1:", "case status == 998:"},
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

//go:build linux

package mutation

// userMutations break 08-user.
func userMutations() []mutation {
	return []mutation{
		{name: "no CLONE_NEWUSER", edits: []edit{
			{
				"user.go", "if !u.On {\n\t\treturn nil\n\t}\n\tu.AsRoot",
				"if u.On || !u.On {\n\t\treturn nil\n\t}\n\tu.AsRoot",
			},
		}},
		// Go then waits for ever: it shares its memory with a child that it
		// means to hold back, which without the flag holds back the parent.
		{name: "no CLONE_NEWUSER, but maps", edits: []edit{
			{"user.go", "\tattr.Sys.Cloneflags |= unix.CLONE_NEWUSER\n", ""},
		}},
		{name: "the child is nobody inside", realRoot: true, edits: []edit{
			{
				"user.go", "attr.Sys.Credential = &syscall.Credential{Uid: 0, Gid: 0}",
				"attr.Sys.Credential = nil",
			},
		}},
		{name: "root inside is another account outside", realRoot: true, edits: []edit{
			{"idmap.go", "firstID, manyIDs = 2_000_000_000, 65536", "firstID, manyIDs = 1, 65536"},
		}},
		{name: "root inside is root outside", toured: true, realRoot: true, edits: []edit{
			{
				"idmap.go", "if os.Geteuid() == 0 {\n\t\treturn giveIDs",
				"if os.Geteuid() == -1 {\n\t\treturn giveIDs",
			},
		}},
		{name: "setgroups is allowed", toured: true, edits: []edit{
			{
				"user.go", "attr.Sys.Credential =",
				"attr.Sys.GidMappingsEnableSetgroups = true\n\tattr.Sys.Credential =",
			},
		}},
		{name: "the container outlives the program", edits: []edit{
			{
				"user.go", "unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)",
				"unix.PR_SET_PDEATHSIG, uintptr(0)",
			},
		}},
	}
}

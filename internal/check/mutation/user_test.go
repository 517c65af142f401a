//go:build linux

package mutation

<<<<<<< HEAD
import "lab/internal/need"

// userMutations break 08-user.
func userMutations() []mutation {
	all := []mutation{
		// Go then waits for ever: it shares its memory with a child that it
		// means to hold back, which without the flag holds back the parent.
		{name: "no user namespace", edits: []edit{
			{"user.go", "\tattr.Sys.Cloneflags |= unix.CLONE_NEWUSER\n", ""},
		}},
		{name: "the flag changes nothing", edits: []edit{
			{"user.go", "\tif !u.On {\n\t\treturn nil\n\t}\n\tu.AsRoot", "\tif u.On {\n\t\treturn nil\n\t}\n\tu.AsRoot"},
		}},
	}
	if !need.Look().RealRoot {
		return all // who has one id, without groups, cannot do the rest wrong
	}
	return append(
		all,
		mutation{name: "root inside is root outside", edits: []edit{
			{"idmap.go", "if !holds(", "if holds("},
		}},
		mutation{name: "setgroups is allowed", edits: []edit{
			{
				"user.go", "attr.Sys.UidMappings, attr.Sys.GidMappings = u.uids, u.gids",
				"attr.Sys.UidMappings, attr.Sys.GidMappings = u.uids, u.gids\n" +
					"\tattr.Sys.GidMappingsEnableSetgroups = true",
			},
		}},
		mutation{name: "the child is nobody inside", edits: []edit{
			{"user.go", "attr.Sys.Credential = &syscall.Credential{Uid: 0, Gid: 0}", "attr.Sys.Credential = nil"},
		}},
	)
=======
// userMutations break 08-user.
func userMutations() []mutation {
	return []mutation{
		{name: "-user does nothing", edits: []edit{
			{
				"user.go", "if !u.On {\n\t\treturn nil\n\t}\n\tu.AsRoot",
				"if u.On || !u.On {\n\t\treturn nil\n\t}\n\tu.AsRoot",
			},
		}},
		{name: "root inside is root outside", realRoot: true, edits: []edit{
			{
				"idmap.go", "if os.Geteuid() == 0 {\n\t\treturn giveIDs",
				"if os.Geteuid() == -1 {\n\t\treturn giveIDs",
			},
		}},
		{name: "setgroups is allowed", edits: []edit{
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
>>>>>>> lessons
}

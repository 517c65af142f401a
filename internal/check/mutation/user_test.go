//go:build linux

package mutation

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
}

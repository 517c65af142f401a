//go:build linux

package mutation

// utsMutations break 01-uts.
func utsMutations() []mutation {
	return []mutation{
		{name: "no CLONE_NEWUTS", edits: []edit{
			{"main.go", "Cloneflags: unix.CLONE_NEWUTS,", ""},
		}},
		{name: "no CLONE_NEWUTS and no host name", edits: []edit{
			{"main.go", "Cloneflags: unix.CLONE_NEWUTS,", ""},
			{"init.go", "unix.Sethostname([]byte(c.Hostname))", "error(nil)"},
		}},
		{name: "the host name is not set", toured: true, edits: []edit{
			{"init.go", "unix.Sethostname([]byte(c.Hostname))", "error(nil)"},
		}},
		{name: "the host name is a fixed one", toured: true, edits: []edit{
			{"init.go", "[]byte(c.Hostname)", `[]byte("container")`},
		}},
		{name: "the parent sets the host name", edits: []edit{
			{
				"main.go", "c.signals = listen()",
				"c.signals = listen()\n\tif err := setHostname(c); err != nil {\n" +
					"\t\treturn err\n\t}",
			},
		}},
		{name: "the parent sets the host name after the clone", edits: []edit{
			{
				"signals.go", "go forward(c.signals, c.child)",
				"go forward(c.signals, c.child)\n\tif err := setHostname(c); err != nil {\n" +
					"\t\treturn 0, err\n\t}",
			},
		}},
		{name: "the parent moves itself", edits: []edit{
			{"main.go", "Cloneflags: unix.CLONE_NEWUTS,", ""},
			{"main.go", "c.signals = listen()", "c.signals = listen()\n" +
				"\tif err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {\n\t\treturn err\n\t}"},
		}},
	}
}

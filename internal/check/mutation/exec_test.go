//go:build linux

package mutation

// execMutations break 00-exec.
func execMutations() []mutation {
	const files = "Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},"
	return []mutation{
		{name: "arguments are joined and split again", edits: []edit{
			{"main.go", "\t\"runtime\"\n", "\t\"runtime\"\n\t\"strings\"\n"},
			{
				"main.go", "os.StartProcess(path, c.Command,",
				`os.StartProcess(path, strings.Fields(strings.Join(c.Command, " ")),`,
			},
		}},
		{name: "arguments go through a shell", toured: true, edits: []edit{
			{"main.go", "\t\"runtime\"\n", "\t\"runtime\"\n\t\"strings\"\n"},
			{
				"main.go", "os.StartProcess(path, c.Command,",
				`os.StartProcess("/bin/sh", []string{"sh", "-c", strings.Join(c.Command, " ")},`,
			},
		}},
		{name: "the flags of the command are taken for ours", edits: []edit{
			{"main.go", "c.Command = flags.Args()", "c.Command = withoutFlags(flags.Args())"},
			{"main.go", "// start starts", "func withoutFlags(args []string) (kept []string) {\n" +
				"\tfor _, a := range args {\n\t\tif a != \"-x\" {\n\t\t\tkept = append(kept, a)\n" +
				"\t\t}\n\t}\n\treturn kept\n}\n\n// start starts"},
		}},
		{name: "standard input is not handed on", edits: []edit{
			{"main.go", files, "Files: []*os.File{nil, os.Stdout, os.Stderr},"},
		}},
		{name: "standard error goes to standard output", edits: []edit{
			{"main.go", files, "Files: []*os.File{os.Stdin, os.Stdout, os.Stdout},"},
		}},
		{name: "every failure is exit status 1", edits: []edit{
			{"signals.go", "return status.ExitStatus()", "return min(1, status.ExitStatus())"},
		}},
		{name: "success whatever happens", edits: []edit{
			{"signals.go", "return status.ExitStatus()", "return 0"},
		}},
		{name: "a signal is exit status 1", edits: []edit{
			{"signals.go", "return 128 + int(status.Signal())", "return 1"},
		}},
		{name: "not found is 125", edits: []edit{{"errors.go", "return 127", "return 125"}}},
		{name: "not executable is 127", edits: []edit{{"errors.go", "return 126", "return 127"}}},
		{name: "signals are caught and dropped", edits: []edit{
			{"signals.go", "go forward(c.signals, c.child)\n", ""},
		}},
		{name: "signals are not caught", edits: []edit{
			{"main.go", "c.signals = listen()", "c.signals = nil"},
		}},
		{name: "the command outlives the program", edits: []edit{
			{"main.go", "Pdeathsig: unix.SIGKILL", ""},
			{"main.go", "\t\"golang.org/x/sys/unix\"\n", ""},
		}},
	}
}

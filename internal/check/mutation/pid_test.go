//go:build linux

package mutation

// pidMutations break 02-pid.
func pidMutations() []mutation {
	return []mutation{
		{name: "no CLONE_NEWPID", edits: []edit{
			{"main.go", "unix.CLONE_NEWUTS | unix.CLONE_NEWPID,", "unix.CLONE_NEWUTS,"},
		}},
		{name: "PID 1 waits for its command only", edits: []edit{
			{"pid.go", "syscall.Wait4(-1,", "syscall.Wait4(pid,"},
		}},
		{name: "PID 1 ends with any child", edits: []edit{
			{"pid.go", "if ended == pid {", "if ended > 0 {"},
		}},
		{name: "PID 1 is the command", edits: []edit{
			{
				"pid.go", "command, err := spawn(c.Command)",
				"if path, err := exec.LookPath(c.Command[0]); err == nil {\n" +
					"\t\treturn 0, unix.Exec(path, c.Command, os.Environ())\n\t}\n" +
					"\tcommand, err := spawn(c.Command)",
			},
		}},
		{name: "PID 1 drops signals", edits: []edit{
			{"pid.go", "go forward(signals, command)", "_ = signals"},
		}},
		{name: "PID 1 does not catch signals", edits: []edit{
			{"pid.go", "signals := listen()", "var signals chan os.Signal"},
		}},
		{name: "the parent drops signals", edits: []edit{
			{"pid.go", "forward(c.signals, c.child)", ""},
		}},
		{name: "PID 1 loses the exit status", edits: []edit{
			{"pid.go", "return exitStatus(status), nil", "return 0, nil"},
		}},
		{name: "PID 1 outlives the program", edits: []edit{
			{"main.go", "Pdeathsig:  unix.SIGKILL,", ""},
		}},
	}
}

// Package box is the userland of the built-in root file system: a shell and the
// small programs the lessons type, all inside the lab binary.
//
// The program is one file with many names. Run looks at the base name of argv[0],
// finds the applet of that name and runs it, so `ln lab ls; ./ls -l` lists files.
// cmd/lab calls Run before anything else:
//
//	if status, ok := box.Run(os.Args); ok {
//		os.Exit(status)
//	}
//
// Applets know the options the lessons use and refuse the others: `ls: unknown
// option -Z`, exit status 2. Errors name the call and its operand, as everywhere in
// this module: `ls: lstat /x: no such file or directory`, exit status 1.
//
// # Where Go shows through
//
// A Go program is several tasks of the kernel, so under a pids limit an applet
// counts for about four and the shell for seven. The shell cannot fork(2): a subshell,
// a pipe's inner part and a command substitution are goroutines of one process, `$$` is
// the same in all of them, and `:(){ :|:& };:` makes no processes. External commands are real
// children. A background job is known by the pid of its first external command, so `$!`
// is empty while the job has none: a loop of builtins, or a redirection that still waits
// for the other end of a named pipe.
// Ctrl-Z does nothing, as there is no process that could be the stopped job.
//
// A process that is PID 1 of a pid namespace has no default signal actions (see
// pid_namespaces(7)), but the Go runtime dies of SIGTERM by itself. Run restores the
// kernel's rule: an applet that is PID 1 ignores what it does not handle.
//
// The applet probe is the agent of the checks in a container; its output is stable.
//
// On systems other than Linux there are no applets and Run always declines.
package box

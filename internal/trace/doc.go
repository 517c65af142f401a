// Package trace runs a command under ptrace(2) and tells which system calls it
// makes to build a container: the namespaces, mounts, maps, cgroups and
// capabilities, each as C-like text, its result, a phrase in words and the
// shell command that does the same.
//
// How it works, in the order of the files:
//
//	starter     a copy of this program that stops itself, so that it is seized
//	            before its first call matters, and then becomes the command
//	ptrace      the requests of ptrace(2) that are used, typed
//	filter      the sieve: a filter that stops only at the calls of interest
//	loop        waits for the next stop of any traced thread and sends it on
//	call        one system call between its entry and its exit
//	table       which arguments a call takes: calls.txt, a line a call
//	decode      numbers, strings, flags and structures as text, from memory
//	watched     which calls make a container, and which writes
//	words       the phrase and the shell equivalent
//	show        the printed page, raw lines and JSON
//
// The kernel stops a traced thread at the entry and at the exit of a call; between
// the two its memory holds the arguments. PTRACE_GET_SYSCALL_INFO says the same on
// every architecture, so no register is named here.
//
// A stop costs two switches of context, and most calls are of no interest. Where we
// may, the command is therefore started with a seccomp filter that stops it at the
// calls of interest only (SECCOMP_RET_TRACE), which makes a trace about three times
// as fast. That takes CAP_SYS_ADMIN: the other way to install a filter,
// no_new_privs, disarms newuidmap(1) and sudo(8). An ordinary user's command stops
// at every call, as does one with Options.Stops. Two things come with the filter:
//
//   - The command sees it: Seccomp is 2 in its /proc/self/status.
//   - What a second, stricter filter refuses does not reach the first, for an
//     error goes before a stop. A process that installs its own is therefore
//     stopped at every call from then on, and its children are.
//
// See ptrace(2), syscall(2), namespaces(7).
package trace

//go:generate go run ./names -o names.go

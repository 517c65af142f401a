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
//	loop        waits for the next stop of any traced thread and sends it on
//	call        one system call between its entry and its exit
//	table       which arguments a call takes: calls.txt, a line a call
//	decode      numbers, strings, flags and structures as text, from memory
//	watched     which calls make a container, and which writes
//	words       the phrase and the shell equivalent
//	show        the printed page, raw lines and JSON
//
// The kernel stops a traced thread at the entry and at the exit of every call;
// between the two its memory holds the arguments. PTRACE_GET_SYSCALL_INFO says
// the same on every architecture, so no register is named here. A seccomp
// filter that stops only at the calls of interest would be faster, and is not
// used: the traced program would see it (Seccomp: 2 in its status), it needs
// no_new_privs, which disarms newuidmap(1), or CAP_SYS_ADMIN, and a call that
// the container's own filter refuses would not be seen, for EPERM goes before a
// stop. What is watched here runs as it runs alone, only slower.
//
// See ptrace(2), syscall(2), namespaces(7).
package trace

//go:generate go run ./names -o names.go

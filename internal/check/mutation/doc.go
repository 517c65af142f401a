// Package mutation proves that the checks see what they are for. It has tests
// only: each takes the program of a step, removes the mechanism from its source,
// builds it, and asks the step's own checks, one of which must fail with a
// diagnosis. The unchanged program must pass them all.
//
// A mutant may do to its host what the mechanism prevents. So each is judged in
// namespaces of its own inside the throw-away host, by this test binary, which
// executes itself for that. It needs the Go toolchain.
//
// The first row of a step takes away the flag of its namespace, or the one
// system call that matters. With that mutant among the real programs `lab tour`
// has to fail as well, and so with some more: what the tour shows is read from
// the kernel, so a broken step cannot look like a good one.
//
// A step adds its rows to the table in a file of its name.
package mutation

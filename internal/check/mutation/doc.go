// Package mutation proves that the checks see what they are for. It has tests
// only: each takes the program of a step, removes the mechanism from its source,
// builds it, and asks the step's own checks, one of which must fail with a
// diagnosis. The unchanged program must pass them all.
//
// A mutant may do to its host what the mechanism prevents. So each is judged in
// namespaces of its own inside the throw-away host, by this test binary, which
// executes itself for that. It needs the Go toolchain.
//
// A step adds its rows to the table in a file of its name.
package mutation

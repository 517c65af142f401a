// Package lab is the root of the container lab's module. It holds no code:
// cmd/lab is the toolkit, steps/ is the path, internal/ is what both the
// toolkit and the tests of the path use.
package lab

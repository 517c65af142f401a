// Package tutorial has no code: its test types what docs/tutorial-mini.md says to type, as
// a person does who begins with mini, and holds what is printed against what stands there.
package tutorial

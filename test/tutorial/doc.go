// Package tutorial has no code: its tests type what docs/tutorial-mini.md and docs/debian.md
// say to type, as a person does who begins with mini, and hold what is printed against what
// stands there.
package tutorial

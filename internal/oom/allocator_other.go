//go:build !linux

package oom

// Child is no program here.
func Child([]string) (status int, ok bool) { return 0, false }

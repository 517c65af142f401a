//go:build !linux

package box

// Run declines every call: the applets are made of Linux system calls.
func Run([]string) (status int, ok bool) { return 0, false }

// Applets returns no names: there is no applet outside of Linux.
func Applets() []string { return nil }

//go:build !linux

package need

import "runtime"

// Look returns the little that can be said about a system that is not Linux.
func Look() Facts {
	return Facts{OS: runtime.GOOS, Arch: runtime.GOARCH, Cgroups: Cgroups{Mode: "none"}}
}

// InSandbox reports false: a throw-away host is made of Linux namespaces.
func InSandbox() bool { return false }

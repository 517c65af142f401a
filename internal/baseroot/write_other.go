//go:build !linux

package baseroot

import "errors"

// Write declines: a root file system of Linux programs is of use to a Linux kernel.
func Write(string, Source) error { return errors.ErrUnsupported }

// StaticBinary declines, as Write does.
func StaticBinary(string) (string, error) { return "", errors.ErrUnsupported }

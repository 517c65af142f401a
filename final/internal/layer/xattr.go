package layer

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// xattrRecord is how a tar's extended header names an attribute:
//
//	SCHILY.xattr.security.capability=…
const xattrRecord = "SCHILY.xattr."

// mayKeep reports whether an attribute belongs to the file and not to the file system or
// the machine it is on. What overlayfs obeys never does: overlay.redirect would show any
// directory of the host's.
func mayKeep(name string) bool {
	switch {
	case strings.HasPrefix(name, "user.overlay."), strings.HasPrefix(name, "trusted."):
		return false
	case strings.HasPrefix(name, "user."), name == "security.capability":
		return true
	}
	return name == "system.posix_acl_access" || name == "system.posix_acl_default"
}

// setXattrs gives an open file the attributes of a tar's entry.
func setXattrs(fd int, records map[string]string) error {
	for key, value := range records {
		name, ok := strings.CutPrefix(key, xattrRecord)
		if !ok || !mayKeep(name) {
			continue
		}
		err := unix.Fsetxattr(fd, name, []byte(value), 0)
		// A file system without attributes, or a user who may not set this one, has
		// none: a layer is more than that.
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	return nil
}

// getXattrs returns the attributes of an open file that belong into a tar, and those that
// overlayfs has put there.
func getXattrs(fd int) (keep, overlay map[string]string, err error) {
	names, err := listXattrs(fd)
	if err != nil {
		return nil, nil, err
	}
	keep, overlay = map[string]string{}, map[string]string{}
	for _, name := range names {
		value, err := getXattr(fd, name)
		if errors.Is(err, unix.ENODATA) {
			continue // it has gone meanwhile
		}
		if err != nil {
			return nil, nil, err
		}
		_, own, isOverlay := strings.Cut(name, ".overlay.")
		switch {
		case isOverlay:
			overlay[own] = value
		case mayKeep(name):
			keep[xattrRecord+name] = value
		}
	}
	return keep, overlay, nil
}

// listXattrs lists the names of an open file's attributes.
func listXattrs(fd int) ([]string, error) {
	for size := 256; ; size *= 2 {
		buffer := make([]byte, size)
		n, err := unix.Flistxattr(fd, buffer)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		if errors.Is(err, unix.EOPNOTSUPP) || err == nil && n == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		names := strings.Split(strings.TrimSuffix(string(buffer[:n]), "\x00"), "\x00")
		slices.Sort(names)
		return names, nil
	}
}

// getXattr reads an attribute of an open file.
func getXattr(fd int, name string) (string, error) {
	for size := 256; ; size *= 2 {
		buffer := make([]byte, size)
		n, err := unix.Fgetxattr(fd, name, buffer)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return string(buffer[:n]), nil
	}
}

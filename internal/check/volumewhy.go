//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// whyNoVolume finds out why a program gives up that was asked for a volume. It
// puts a directory with the source's name into the root and runs the program once
// more: what is mounted now tells from where the names were looked up.
func (s *Subject) whyNoVolume(ctx context.Context, v *shared, err error) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Mistake != "gave-up" {
		return err
	}
	remove, errMake := s.decoy(v.dir)
	if errMake != nil {
		return errors.Join(err, errMake)
	}
	h, again := s.Hold(ctx, true, "-rootfs", s.Root, "-v", v.dir+":/mnt")
	if again != nil {
		return errors.Join(err, remove())
	}
	inside, errDecoy := isSame(filepath.Join(s.Root, v.dir), h.inside("/mnt"))
	swapped, errMnt := isSame("/mnt", h.inside(v.dir))
	switch {
	case errDecoy == nil && inside:
		f.Kernel += fmt.Sprintf("; with a directory %s in the root, that one is mounted", v.dir)
		f.Mistake = "bind-after-pivot"
		f.Diagnosis = "The source is looked up in the container's root, where it is not: " +
			"bind it, or open it, before pivot_root(2) takes the host's files away."
	case errMnt == nil && swapped:
		f.Kernel += fmt.Sprintf("; with a directory %s in the root, "+
			"the host's /mnt is mounted there", v.dir)
		f.Mistake = "source-and-target-swapped"
		f.Diagnosis = "In HOST:CTR the source comes first: here the second name was taken " +
			"for it, and the first for the place in the container."
	}
	_, errStop := h.Stop(ctx)
	return errors.Join(f, errStop, remove())
}

// decoy makes a directory of this name in the root, and returns how it is removed.
func (s *Subject) decoy(name string) (remove func() error, err error) {
	path := filepath.Join(s.Root, name)
	first := path // the first of those that have to be made
	for dir := path; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil {
			break
		}
		first = dir
	}
	if !strings.HasPrefix(first, s.Root+"/") {
		return nil, fmt.Errorf("the root %s is gone", s.Root)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	return func() error { return os.RemoveAll(first) }, s.own(first)
}

// whyNoFile finds out whether a program that gives up with two volumes, of which
// one is a file, can do the other.
func (s *Subject) whyNoFile(ctx context.Context, v *shared, err error) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Mistake != "gave-up" {
		return err
	}
	h, again := s.Hold(ctx, true, "-rootfs", s.Root, "-v", v.dir+":/mnt")
	if again != nil {
		return err
	}
	f.Mistake = "file-volume-refused"
	f.Diagnosis = "A directory can be a volume here and a file cannot: " +
		"bind mounts show files as well, each on a file."
	_, errStop := h.Stop(ctx)
	return errors.Join(f, errStop)
}

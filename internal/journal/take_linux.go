package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Take lists what exists on this host, as far as it may be due to us.
func Take() (Snapshot, error) { return Scope{}.Take() }

// Take lists what exists, within the scope.
func (s Scope) Take() (Snapshot, error) {
	snapshot := Snapshot{Scope: s, Unreadable: map[Kind]string{}}
	for _, part := range []struct {
		kind Kind
		read func() ([]Entry, error)
	}{
		{Mounts, mounts},
		{Links, links},
		{Links, routes},
		{Links, namedNetworks},
		{Rules, nftRules},
		{Rules, legacyTables},
		{Settings, settings},
		{Cgroups, s.cgroups},
		{Processes, s.processes},
		{Files, s.files},
	} {
		if slices.Contains(s.Without, part.kind) {
			continue
		}
		entries, err := part.read()
		switch {
		case errors.Is(err, fs.ErrPermission):
			snapshot.unreadable(part.kind, err)
		case err != nil:
			return snapshot, fmt.Errorf("take a snapshot: %w", err)
		}
		snapshot.Entries = append(snapshot.Entries, entries...)
	}
	return snapshot, nil
}

// unreadable notes what of a kind this user may not see.
func (s *Snapshot) unreadable(kind Kind, err error) {
	if before := s.Unreadable[kind]; before != "" {
		s.Unreadable[kind] = before + "; " + err.Error()
		return
	}
	s.Unreadable[kind] = "not readable: " + err.Error()
}

// Settle waits until the host is as it was before, which takes the kernel a
// moment after the last process of a container. It returns what still differs
// when the context ends, or nothing as soon as nothing does.
func Settle(ctx context.Context, before Snapshot) []Difference {
	const first, most = 5 * time.Millisecond, 200 * time.Millisecond
	for pause := first; ; pause = min(2*pause, most) {
		after, err := before.Scope.Take()
		found := before.Diff(after)
		if err != nil {
			found = []Difference{{Change: err.Error(), What: "a second snapshot"}}
		}
		if len(found) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return found
		case <-time.After(pause):
		}
	}
}

// Adopt makes this process the one to which the orphans among its descendants
// fall, instead of the host's PID 1, so that they stay its descendants and a
// snapshot finds them. See PR_SET_CHILD_SUBREAPER in prctl(2).
func Adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the reaper of orphans: %w", err)
	}
	return nil
}

// files lists every file of the scope's directories. A directory that does
// not exist has none.
func (s Scope) files() ([]Entry, error) {
	var found []Entry
	for _, dir := range s.Files {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone while we read
			}
			if err != nil {
				return err
			}
			kind := entry.Type().String()[:1] // d, L, p … or - for a file
			found = append(found, Entry{Kind: Files, ID: path, What: path, State: kind})
			return nil
		})
		if err != nil {
			return found, fmt.Errorf("list files: %w", err)
		}
	}
	return found, nil
}

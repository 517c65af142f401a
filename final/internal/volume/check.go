package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Check tells what is left of commands that were killed: halves of volumes, and users that
// are no containers any more. With mend it is removed.
func (s *Store) Check(alive Alive, mend bool) (left []string, err error) {
	left = s.halves() // whoever has the lock removes them
	lock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		users, err := s.Users(v.Name)
		if err != nil {
			return nil, err
		}
		for _, id := range users {
			if alive(id) {
				continue
			}
			left = append(left, fmt.Sprintf("volume %s is in use by %.12s, which is no container",
				v.Name, id))
			if !mend {
				continue
			}
			gone := os.Remove(filepath.Join(s.path(v.Name), "users", id))
			if gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				return left, gone
			}
		}
	}
	return left, nil
}

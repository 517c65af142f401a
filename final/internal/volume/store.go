package volume

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/final/internal/hint"
)

// Why a volume is refused.
var (
	ErrNotFound = hint.New("there is no such volume", "mini volume ls lists all")
	ErrExists   = errors.New("there is one of that name")
	ErrInUse    = hint.New("in use", "mini rm removes the containers that have it")
	ErrName     = errors.New("a name is two or more letters, digits and _.-, " +
		"and begins with one of the first two kinds")
)

// Volume is a directory under a name.
type Volume struct {
	Name      string            `json:"name"`
	Created   time.Time         `json:"created"`
	Labels    map[string]string `json:"labels,omitempty"`
	Anonymous bool              `json:"anonymous,omitempty"` // its name was made up by us
	Path      string            `json:"-"`                   // of what it holds
}

// Store is a directory of volumes.
type Store struct{ dir string }

// Open opens the volumes that are kept in a directory, and makes that if need be.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("volumes: %w", err)
	}
	return &Store{dir: dir}, nil
}

// nameRule is what volumes may be called.
var nameRule = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$`)

// CheckName refuses what cannot be the name of a volume.
func CheckName(name string) error {
	if !nameRule.MatchString(name) {
		return fmt.Errorf("volume %q: %w", name, ErrName)
	}
	return nil
}

// path is the directory of a volume.
func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// lock keeps other commands from changing volumes until the file is closed, which the
// kernel does for a process that dies.
func (s *Store) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", f.Name(), err), f.Close())
	}
	s.sweep()
	return f, nil
}

// sweep removes what killed commands have left half made or half removed. What cannot
// be removed now will be the next time.
func (s *Store) sweep() {
	for _, path := range s.halves() {
		_ = os.RemoveAll(path)
	}
}

// halves are what killed commands have left half made or half removed.
func (s *Store) halves() (all []string) {
	for _, pattern := range []string{".new-*", ".gone-*", "*/.fill-*"} {
		left, _ := filepath.Glob(filepath.Join(s.dir, pattern)) // the patterns are good
		all = append(all, left...)
	}
	return all
}

// Create makes a volume. Without a name it gets one of 64 letters that nobody has.
func (s *Store) Create(name string, labels map[string]string) (Volume, error) {
	anonymous := name == ""
	if anonymous {
		name = newName()
	}
	if err := CheckName(name); err != nil {
		return Volume{}, err
	}
	lock, err := s.lock()
	if err != nil {
		return Volume{}, err
	}
	defer lock.Close()
	if _, err := os.Lstat(s.path(name)); err == nil {
		return Volume{}, fmt.Errorf("volume %q: %w", name, ErrExists)
	}
	return s.create(Volume{Name: name, Labels: labels, Anonymous: anonymous})
}

// newName makes up a name.
func newName() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}

// create makes a volume under another name and renames it, under the lock.
func (s *Store) create(v Volume) (Volume, error) {
	v.Created = time.Now().UTC()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return v, err
	}
	dir, err := os.MkdirTemp(s.dir, ".new-*")
	if err != nil {
		return v, fmt.Errorf("volume %q: %w", v.Name, err)
	}
	err = errors.Join(
		os.Mkdir(filepath.Join(dir, "_data"), 0o755),
		os.Mkdir(filepath.Join(dir, "users"), 0o700),
		os.Chmod(filepath.Join(dir, "_data"), 0o755), // whatever the umask is
		os.Chmod(dir, 0o711),
		writeSynced(filepath.Join(dir, "volume.json"), append(text, '\n')),
	)
	if err == nil {
		err = os.Rename(dir, s.path(v.Name))
	}
	if err != nil {
		return v, errors.Join(fmt.Errorf("volume %q: %w", v.Name, err), os.RemoveAll(dir))
	}
	v.Path = filepath.Join(s.path(v.Name), "_data")
	return v, syncDir(s.dir)
}

// writeSynced writes a file that survives a power cut.
func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes names in a directory survive a power cut.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Inspect tells of one volume.
func (s *Store) Inspect(name string) (v Volume, err error) {
	if err := CheckName(name); err != nil {
		return v, err
	}
	text, err := os.ReadFile(filepath.Join(s.path(name), "volume.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return v, fmt.Errorf("volume %q: %w", name, ErrNotFound)
	}
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return v, fmt.Errorf("volume %q: %w", name, err)
	}
	v.Path = filepath.Join(s.path(name), "_data")
	return v, nil
}

// List tells of all volumes, by name.
func (s *Store) List() ([]Volume, error) {
	entries, err := os.ReadDir(s.dir) // sorted
	if err != nil {
		return nil, err
	}
	all := []Volume{}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		v, err := s.Inspect(e.Name())
		if errors.Is(err, ErrNotFound) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// Alive tells of a container by its ID whether there is one, running or not. A container
// is written down before it uses a volume.
type Alive func(id string) bool

// Use gives a container a volume, which is made if there is none, and returns the path
// of what it holds. An empty name asks for an anonymous one.
func (s *Store) Use(name, id string) (Volume, error) {
	anonymous := name == ""
	if anonymous {
		name = newName()
	}
	if err := CheckName(name); err != nil {
		return Volume{}, err
	}
	lock, err := s.lock()
	if err != nil {
		return Volume{}, err
	}
	defer lock.Close()
	v, err := s.Inspect(name)
	if errors.Is(err, ErrNotFound) {
		v, err = s.create(Volume{Name: name, Anonymous: anonymous})
	}
	if err != nil {
		return v, err
	}
	err = os.WriteFile(filepath.Join(s.path(name), "users", filepath.Base(id)), nil, 0o600)
	if err != nil {
		return v, fmt.Errorf("volume %q: %w", name, err)
	}
	return v, nil
}

// Release takes a container off the list of users of all its volumes. It tells which of
// them are anonymous and have no other user: `rm -v` and `run --rm` remove those.
func (s *Store) Release(id string) (orphans []string, err error) {
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
		err := os.Remove(filepath.Join(s.path(v.Name), "users", filepath.Base(id)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		users, listErr := s.Users(v.Name)
		if err = errors.Join(err, listErr); err != nil {
			return orphans, fmt.Errorf("volume %q: %w", v.Name, err)
		}
		if v.Anonymous && len(users) == 0 {
			orphans = append(orphans, v.Name)
		}
	}
	return orphans, nil
}

// Users lists the containers that have a volume.
func (s *Store) Users(name string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.path(name), "users"))
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids, nil
}

// user returns a container that has a volume, if there is one. Those that were removed
// by a command that was killed are forgotten.
func (s *Store) user(name string, alive Alive) (string, error) {
	ids, err := s.Users(name)
	if err != nil {
		return "", err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !alive(id) })
	if len(ids) == 0 {
		return "", nil
	}
	return ids[0], nil
}

// Remove removes a volume that no container has.
func (s *Store) Remove(name string, alive Alive) error {
	lock, err := s.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := s.Inspect(name); err != nil {
		return err
	}
	id, err := s.user(name, alive)
	if err != nil {
		return fmt.Errorf("volume %q: %w", name, err)
	}
	if id != "" {
		return fmt.Errorf("volume %q: %w by container %s", name, ErrInUse, id[:min(12, len(id))])
	}
	return s.remove(name)
}

// remove renames a volume out of the way and then removes what it holds.
func (s *Store) remove(name string) error {
	gone := filepath.Join(s.dir, ".gone-"+name)
	if err := os.Rename(s.path(name), gone); err != nil {
		return fmt.Errorf("volume %q: %w", name, err)
	}
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("volume %q: %w", name, err)
	}
	return nil
}

// Prune removes the anonymous volumes that no container has, or all such volumes, and
// tells which.
func (s *Store) Prune(all bool, alive Alive) (gone []string, err error) {
	lock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	volumes, err := s.List()
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		if !v.Anonymous && !all {
			continue
		}
		id, err := s.user(v.Name, alive)
		if err != nil {
			return gone, fmt.Errorf("volume %q: %w", v.Name, err)
		}
		if id != "" {
			continue
		}
		if err := s.remove(v.Name); err != nil {
			return gone, err
		}
		gone = append(gone, v.Name)
	}
	return gone, nil
}

package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/invoker"
)

// store is the file of one run. Its name never shows half a text: a new text
// is written beside it and renamed. Whoever holds its lock lives; the kernel
// unlocks it when the process is dead, however it died, and unlike a pid that
// can be seen from every pid namespace.
type store struct {
	who  invoker.Invoker
	path string
	open *os.File // locked
}

const (
	fileSuffix = ".json"
	newSuffix  = ".json.new"
)

// directory is where the files of the runs are, one for each.
func directory() (string, invoker.Invoker, error) {
	who, err := invoker.Current()
	if err != nil {
		return "", who, fmt.Errorf("journal: %w", err)
	}
	return filepath.Join(who.StateDir(), "journal"), who, nil
}

// newStore names the file of a new run and makes its directory.
func newStore(id string) (*store, error) {
	dir, who, err := directory()
	if err != nil {
		return nil, err
	}
	if err := who.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &store{who: who, path: filepath.Join(dir, id+fileSuffix)}, nil
}

// write replaces the file's text. With sync it is on the disk when write
// returns.
func (s *store) write(r *Run, sync bool) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	part := strings.TrimSuffix(s.path, fileSuffix) + newSuffix
	file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	// Locked before it has the name: a file of that name is never unlocked
	// while its run goes on.
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = file.Write(append(text, '\n'))
	}
	if err == nil && s.who.Sudo {
		err = file.Chown(s.who.UID, s.who.GID)
	}
	if err == nil && sync {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(part, s.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("journal: write %s: %w", s.path, err), file.Close())
	}
	before := s.open
	s.open = file
	if before != nil {
		return before.Close()
	}
	return nil
}

// close gives the lock back.
func (s *store) close() error {
	if s == nil || s.open == nil {
		return nil
	}
	file := s.open
	s.open = nil
	return file.Close()
}

// remove removes the file, and then the lock.
func (s *store) remove() error {
	if s == nil {
		return nil
	}
	err := os.Remove(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.close())
}

// stored is a run as its file tells it.
type stored struct {
	Run
	file   *store
	active bool   // its process holds the lock
	owner  uint32 // who the file belongs to
	broken error  // why it cannot be read
}

// load reads the files of all runs, the oldest first. With lock the caller
// holds from then on those that have ended, so that two cleanings do not meet.
func load(lock bool) ([]*stored, error) {
	dir, _, err := directory()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var all []*stored
	for _, entry := range entries {
		id, ours := strings.CutSuffix(entry.Name(), fileSuffix)
		if !ours || !validID(id) || !entry.Type().IsRegular() {
			continue
		}
		s, err := loadOne(filepath.Join(dir, entry.Name()), id, lock)
		for errors.Is(err, errReplaced) {
			s, err = loadOne(filepath.Join(dir, entry.Name()), id, lock)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // ended while we read
		}
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	sortByStart(all)
	return all, nil
}

// errReplaced means that a file got a new text while it was read.
var errReplaced = errors.New("replaced while it was read")

// loadOne reads one file and, with lock, tries to take its lock.
func loadOne(path, id string, lock bool) (*stored, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	s := &stored{file: &store{path: path, open: file}}
	if lock {
		err = s.lock()
	}
	text, readErr := io.ReadAll(file)
	if err := errors.Join(err, readErr); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
	}
	if err := json.Unmarshal(text, &s.Run); err != nil {
		s.broken = fmt.Errorf("read %s: %w", path, err)
	} else if s.ID != id {
		s.broken = fmt.Errorf("read %s: it is about another run, %q", path, s.ID)
	}
	return s, nil
}

// lock takes the file's lock, or finds that the run is active. The run itself
// replaces its file by one that is locked before it lets go of the old one: a
// file that has its name and no lock belongs to a run that has ended.
func (s *stored) lock() error {
	fd := int(s.file.open.Fd())
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	s.active = errors.Is(err, unix.EWOULDBLOCK)
	if err != nil && !s.active {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Nlink == 0 {
		return errReplaced
	}
	s.owner = st.Uid
	return nil
}

// local reports whether the run's pids mean something here.
func (s *stored) local(boot string, namespace uint64) bool {
	return s.Boot == boot && s.PIDNamespace == namespace
}

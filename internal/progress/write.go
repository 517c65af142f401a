package progress

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lock keeps other labs from writing until unlock is called. The lock is on a
// file of its own: the one that is replaced is another file afterwards.
func (f *File) lock() (unlock func() error, err error) {
	if err := f.who.MkdirAll(filepath.Dir(f.path)); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR|noFollow, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := errors.Join(flock(file), f.give(file)); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
	}
	return file.Close, nil // the kernel unlocks with the last close
}

// give makes a file that root has made the invoker's.
func (f *File) give(file *os.File) error {
	if !f.who.Sudo {
		return nil
	}
	return file.Chown(f.who.UID, f.who.GID)
}

// replace writes a new file beside the old one and puts it into its place, so
// that a reader sees the one or the other, whenever this process ends. The lock
// is held, so the new file's name is ours.
func (f *File) replace(text string) error {
	part := f.path + ".new"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, f.give(file), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(part, f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

// setAside renames a file that cannot be trusted and writes what could be read of
// it to its place. Where nothing can be written it says only what is wrong.
func (f *File) setAside() error {
	unlock, err := f.lock()
	if err != nil {
		f.notice = fmt.Sprintf("%s cannot be trusted, and cannot be renamed: %v", f.path, err)
		return nil
	}
	// Another lab may have set it aside while this one waited.
	now, damage, err := read(f.path)
	if err == nil && damage != "" {
		f.state = now
		if err = f.rename(damage); err == nil {
			err = f.replace(now.text())
		}
	}
	return errors.Join(err, unlock())
}

// rename moves the file to a name that is free and says so.
func (f *File) rename(damage string) error {
	for i := 1; ; i++ {
		kept := fmt.Sprintf("%s.kept-%d", f.path, i)
		if _, err := os.Lstat(kept); err == nil {
			continue
		}
		if err := os.Rename(f.path, kept); err != nil {
			return fmt.Errorf("set the damaged progress aside: %w", err)
		}
		f.notice = fmt.Sprintf("%s %s; it is kept as %s", f.path, damage, kept)
		return nil
	}
}

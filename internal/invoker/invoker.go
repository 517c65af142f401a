// Package invoker tells who is really asking. Under sudo(8) a program runs as
// root, but caches, progress and build results belong to the person who typed
// the command: what root writes there the person could not change any more.
package invoker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// Invoker is the account behind this process.
type Invoker struct {
	UID, GID int
	Home     string
	// Sudo is true when root acts for this account: files made for it have to
	// be given to it, and programs that need no root run as it.
	Sudo bool
}

// Current returns the account that called: the one in SUDO_UID and SUDO_GID
// when root was reached by sudo(8), the process's own otherwise.
func Current() (Invoker, error) {
	uid, gid := os.Getuid(), os.Getgid()
	sudoUID, errUID := strconv.Atoi(os.Getenv("SUDO_UID"))
	sudoGID, errGID := strconv.Atoi(os.Getenv("SUDO_GID"))
	if uid != 0 || errUID != nil || errGID != nil || sudoUID == 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return Invoker{}, fmt.Errorf("find the home directory: %w", err)
		}
		return Invoker{UID: uid, GID: gid, Home: home}, nil
	}
	account, err := user.LookupId(strconv.Itoa(sudoUID))
	if err != nil {
		return Invoker{}, fmt.Errorf("find the home directory of SUDO_UID %d: %w", sudoUID, err)
	}
	return Invoker{UID: sudoUID, GID: sudoGID, Home: account.HomeDir, Sudo: true}, nil
}

// CacheDir returns the directory for what can be made again, such as built
// programs: $XDG_CACHE_HOME/lab or ~/.cache/lab. Under sudo it is the
// invoker's, for sudo(8) passes no XDG variables on.
func (i Invoker) CacheDir() string {
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" && !i.Sudo {
		return filepath.Join(dir, "lab")
	}
	return filepath.Join(i.Home, ".cache", "lab")
}

// StateDir returns the directory for what cannot be made again, such as the
// progress: $XDG_STATE_HOME/lab or ~/.local/state/lab, and under sudo the
// invoker's.
func (i Invoker) StateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) && !i.Sudo {
		return filepath.Join(dir, "lab")
	}
	return filepath.Join(i.Home, ".local", "state", "lab")
}

// MkdirAll makes a directory and its missing parents; those it makes belong to
// the invoker.
func (i Invoker) MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := i.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a directory for the lab: %w", err)
	}
	if !i.Sudo {
		return nil
	}
	if err := os.Lchown(dir, i.UID, i.GID); err != nil {
		return fmt.Errorf("give %s to its user: %w", dir, err)
	}
	return nil
}

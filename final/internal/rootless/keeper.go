//go:build linux

package rootless

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// KeeperName is the first word of a keeper's command line:
//
//	mini-keeper DIR [network]
const KeeperName = "mini-keeper"

// keeper is who holds a namespace, as others find it in keeper.json.
type keeper struct {
	monitor.Process

	// Network is the number of its open network namespace, if it has one, and Problem
	// why nothing leads out of that.
	Network int    `json:",omitempty"`
	Problem string `json:",omitempty"`
}

// hold keeps the keeper of a directory, who may be there or come, until the file is closed
// or this process has ended.
func hold(dir string) (*os.File, error) { return lock(dir, "users", unix.LOCK_SH) }

// lock opens and locks a file of a directory, which is made.
func lock(dir, name string, how int) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", file.Name(), err), file.Close())
	}
	return file, nil
}

// find finds the keeper of a directory; there is none if its Pid is 0.
func find(dir string) (k keeper, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "keeper.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return keeper{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil || !k.Alive() {
		return keeper{}, err
	}
	return k, nil
}

// findOrStart finds the keeper that is wanted, or has one started: whoever holds the
// directory at the same time gets the same. The function that starts it gives it the file
// as its number 3.
func findOrStart(dir string, wanted func(keeper) bool, start func(*os.File) error) (
	keeper, error,
) {
	if k, err := find(dir); err != nil || k.Pid != 0 && wanted(k) {
		return k, err
	}
	one, err := lock(dir, "starting", unix.LOCK_EX)
	if err != nil {
		return keeper{}, err
	}
	defer one.Close()
	if k, err := find(dir); err != nil || k.Pid != 0 && wanted(k) {
		return k, err
	}
	ready, word, err := os.Pipe()
	if err != nil {
		return keeper{}, err
	}
	defer ready.Close()
	err = start(word)
	if err = errors.Join(err, word.Close()); err != nil {
		return keeper{}, err
	}
	said, err := io.ReadAll(ready)
	if err == nil && len(said) > 0 {
		err = fmt.Errorf("keep the namespace: %s", said)
	}
	if err != nil {
		return keeper{}, err
	}
	k, err := find(dir)
	if err == nil && k.Pid == 0 {
		err = errors.New("who is to keep the namespace has ended")
	}
	return k, err
}

// Keep is what a keeper does: it says who it is, and stays until nobody holds its
// directory any longer. What fails is told through its file 3.
func Keep(args []string) int {
	unix.CloseOnExec(3) // nobody whom we start holds it
	word := os.NewFile(3, "starter")
	err := errors.New("a keeper is started by mini alone")
	if len(args) > 1 {
		err = keep(args[1], len(args) > 2, word)
	}
	if err != nil {
		_, _ = fmt.Fprint(word, err) // who started it may have gone
		return 1
	}
	return 0
}

// keep keeps the user namespace that this process is in, or a new network namespace.
func keep(dir string, network bool, word *os.File) error {
	// No terminal's end is ours, and no directory is held.
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("setsid: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	self, err := monitor.Self()
	if err != nil {
		return err
	}
	k := keeper{Process: self}
	if network {
		stop, err := k.makeNetwork()
		if err != nil {
			return err
		}
		defer stop()
	}
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "keeper.json")
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	if err := word.Close(); err != nil {
		return err
	}
	// Whoever comes from here on waits until this process has ended.
	last, err := lock(dir, "users", unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer last.Close()
	if now, err := find(dir); err == nil && now.Process == self {
		return os.Remove(path)
	}
	return nil // somebody who could not use this one has started another
}

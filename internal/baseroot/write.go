//go:build linux

package baseroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// marker is the file by which a root of ours is known. It holds the source.
const marker = "etc/lab-root"

// Write makes dir a root file system. What dir was before decides:
//   - it does not exist or is empty: the root appears in one step, by rename(2);
//   - it is a root written by Write: a fresh one takes its place, also in one step;
//   - anything else: ErrForeign, and nothing is changed.
//
// An interrupted Write leaves dir as it was, and beside it a directory `.NAME.new-…`.
// An ordinary user may call it.
func Write(dir string, from Source) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("write a root to %s: %w", dir, err)
	}
	if err := write(dir, from); err != nil {
		return fmt.Errorf("write a root to %s: %w", dir, err)
	}
	return nil
}

// write is Write for an absolute path.
func write(dir string, from Source) error {
	replace, err := mayWrite(dir)
	if err != nil {
		return err
	}
	if from.Kind == Dir {
		if err := checkCopy(from.Path, dir); err != nil {
			return err
		}
	}
	if from.Lab == "" {
		if from.Lab, err = StaticBinary(""); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".new-")
	if err != nil {
		return err
	}
	err = fill(fresh, from)
	if err == nil {
		err = install(fresh, dir, replace)
	}
	return errors.Join(err, os.RemoveAll(fresh))
}

// mayWrite reports whether dir holds a root to replace, or why it must not be touched.
func mayWrite(dir string) (replace bool, err error) {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, unix.ENOTDIR
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	if info, err := os.Lstat(filepath.Join(dir, marker)); err != nil || !info.Mode().IsRegular() {
		return false, ErrForeign
	}
	// Removing the old root would reach through a mount into what is mounted.
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		return false, fmt.Errorf("read the mounts: %w", err)
	}
	if len(mounts) > 0 {
		return false, fmt.Errorf("%w: %s", ErrBusy, mounts[0].Mountpoint)
	}
	return true, nil
}

// install puts the finished root in its place. An old root is exchanged with it in
// one step, so that dir is a whole root at every moment, and is removed by the caller
// under the other name.
func install(fresh, dir string, replace bool) error {
	flags := uint(0)
	if replace {
		flags = unix.RENAME_EXCHANGE
	}
	err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, dir, flags)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: fresh, New: dir, Err: err}
	}
	return nil
}

// fill makes the root in an empty directory.
func fill(root string, from Source) error {
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	if from.Kind == Dir {
		if err := copyTree(from.Path, root); err != nil {
			return err
		}
		return finishCopy(root, from)
	}
	if err := makeDirs(root); err != nil {
		return err
	}
	for name, text := range files(from) {
		if err := writeFile(filepath.Join(root, name), text); err != nil {
			return err
		}
	}
	if from.Kind == Busybox {
		return addBusybox(root, from)
	}
	return addBox(root, from)
}

// makeDirs makes the directories and the links among them. All links are relative: an
// absolute one leads out of the root for everybody who looks at it from outside.
func makeDirs(root string) error {
	dirs := []struct {
		name string
		mode uint32
	}{
		{"bin", 0o755},
		{"dev", 0o755},
		{"etc", 0o755},
		{"home", 0o755},
		{"mnt", 0o755},
		{"opt", 0o755},
		{"proc", 0o555},
		{"root", 0o700},
		{"run", 0o755},
		{"srv", 0o755},
		{"sys", 0o555},
		{"tmp", 0o1777},
		{"usr", 0o755},
		{"var", 0o755},
		{"var/tmp", 0o1777},
		{"var/log", 0o755},
	}
	for _, d := range dirs {
		path := filepath.Join(root, d.name)
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		// The mode of mkdir(2) is subject to the umask.
		if err := unix.Chmod(path, d.mode); err != nil {
			return &fs.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	links := map[string]string{
		"sbin": "bin", "usr/bin": "../bin", "usr/sbin": "../bin",
		"var/run": "../run",
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return nil
}

// files returns the files of the root by path.
func files(from Source) map[string]string {
	return map[string]string{
		marker: from.String() + "\n",
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n" +
			"user:x:1000:1000:user:/home:/bin/sh\n" +
			"nobody:x:65534:65534:nobody:/:/bin/false\n",
		"etc/group":         "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n",
		"etc/hostname":      "container\n",
		"etc/hosts":         "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
		"etc/nsswitch.conf": "hosts: files dns\n",
		"etc/resolv.conf":   "", // a container's own is mounted on it
		"etc/os-release": "NAME=\"container lab root\"\nID=lab\n" +
			"PRETTY_NAME=\"container lab root\"\n",
		"etc/motd":    "This is the root file system of a container.\n",
		"etc/profile": "export PATH=/bin:/sbin:/usr/bin:/usr/sbin\n",
	}
}

// writeFile writes a file that only its owner may change.
func writeFile(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// checkCopy refuses to copy what cannot be a root or would copy itself.
func checkCopy(path, dir string) error {
	full, err := filepath.EvalSymlinks(path)
	if err == nil {
		full, err = filepath.Abs(full)
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(full)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "copy", Path: path, Err: unix.ENOTDIR}
	case full == "/":
		return errors.New("copy /: the machine's own root is too much to copy")
	case dir == full || strings.HasPrefix(dir, full+"/"):
		return fmt.Errorf("copy %s: the root would lie inside", path)
	}
	return nil
}

//go:build linux

package baseroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/internal/box"
)

// ours are the applets that every root has, whatever it is made from.
var ours = []string{"probe", "hog"}

// addBox puts the lab binary into /bin under the names of all applets.
func addBox(root string, from Source) error {
	return addProgram(filepath.Join(root, "bin"), from.Lab, box.Applets(), from.put())
}

// put returns what gives a root its first name of our own program.
func (s Source) put() func(from, to string) error {
	if s.Linked {
		return os.Link
	}
	return copyProgram
}

// copyProgram makes a copy that anybody may execute.
func copyProgram(from, to string) error { return copyFile(from, to, 0o755) }

// addProgram copies a static program into a directory and gives it its names. The copy
// is on purpose: see the package comment. On file systems that can share blocks it
// costs nothing.
func addProgram(
	dir, program string, names []string, put func(from, to string) error,
) error {
	static, err := isStatic(program)
	if err != nil {
		return err
	}
	if !static {
		return fmt.Errorf("%s: %w", program, ErrDynamic)
	}
	first := filepath.Join(dir, names[0])
	if err := put(program, first); err != nil {
		return err
	}
	for _, name := range names[1:] {
		if err := os.Link(first, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// addBusybox puts busybox into /bin under the names it lists, and our own programs.
func addBusybox(root string, from Source) error {
	path, err := findBusybox(from.Path)
	if err != nil {
		return err
	}
	list, err := exec.Command(path, "--list").Output()
	if err != nil {
		return fmt.Errorf("run %s --list: %w", path, err)
	}
	names := []string{"busybox"}
	for name := range strings.FieldsSeq(string(list)) {
		if name != "busybox" && name != "probe" && name != "hog" && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	bin := filepath.Join(root, "bin")
	if err := addProgram(bin, path, names, copyProgram); err != nil {
		return err
	}
	return addProgram(bin, from.Lab, ours, from.put())
}

// findBusybox returns the busybox to use.
func findBusybox(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		return "", errors.New("busybox is not installed: apt install busybox-static, or use box")
	}
	return path, nil
}

// finishCopy adds our own programs and the marker to a copied root. It works inside
// the root: a link in it cannot lead a write out.
func finishCopy(path string, from Source) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, dir := range []string{"bin", "etc"} {
		err := root.Mkdir(dir, 0o755)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := root.WriteFile(marker, []byte(from.String()+"\n"), 0o644); err != nil {
		return err
	}
	for _, name := range ours {
		name = "bin/" + name
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		out, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
		if err != nil {
			return err
		}
		if err := copyInto(out, from.Lab, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// copyTree copies what is below src into the existing directory dst: files, links,
// pipes, and devices where that is permitted. Owners are kept as far as the user may.
// Nobody but the owner may write the copies, except in sticky directories such as /tmp.
func copyTree(src, dst string) error {
	copied := map[[2]uint64]string{}
	return filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil || rel == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		st := info.Sys().(*syscall.Stat_t)
		if st.Nlink > 1 && !info.IsDir() {
			// One file of several names stays one: a busybox is 400.
			inode := [2]uint64{st.Dev, st.Ino}
			if first, ok := copied[inode]; ok {
				return os.Link(first, to)
			}
			copied[inode] = to
		}
		return copyNode(path, to, info)
	})
}

// copyNode copies one file without what is below it.
func copyNode(src, dst string, info fs.FileInfo) error {
	st := info.Sys().(*syscall.Stat_t)
	mode := st.Mode & 0o7777
	if mode&unix.S_ISVTX == 0 {
		mode &^= 0o022
	}
	var err error
	switch info.Mode().Type() {
	case 0:
		err = copyFile(src, dst, mode)
	case fs.ModeDir:
		// The owner must be able to fill it and later to remove it.
		mode |= 0o700
		err = os.Mkdir(dst, 0o700)
	case fs.ModeSymlink:
		var target string
		if target, err = os.Readlink(src); err == nil {
			err = os.Symlink(target, dst)
		}
	default:
		// Devices are left out where mknod(2) is not permitted: a container's own /dev
		// is mounted over them.
		err = unix.Mknod(dst, st.Mode, int(st.Rdev))
		if errors.Is(err, unix.EPERM) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	err = os.Lchown(dst, int(st.Uid), int(st.Gid))
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil
	}
	// After chown(2), which clears the set-user-ID bit.
	if err := unix.Chmod(dst, mode); err != nil {
		return &fs.PathError{Op: "chmod", Path: dst, Err: err}
	}
	return nil
}

// copyFile copies a file's content to a new file.
func copyFile(src, dst string, mode uint32) error {
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return copyInto(out, src, mode)
}

// copyInto copies a file's content to out, sets its mode and closes it. Between plain
// files io.Copy is copy_file_range(2).
func copyInto(out *os.File, src string, mode uint32) error {
	in, err := os.Open(src)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Chmod(fs.FileMode(mode & 0o777))
	}
	return errors.Join(err, out.Close())
}

package layer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// merged mounts an overlay over two lower layers, and returns all directories.
func merged(t *testing.T) (root, upper string, lower []string) {
	t.Helper()
	need.Overlay(t)
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	for _, name := range []string{"top", "bottom", "upper", "work", "root"} {
		require.NoError(t, os.Mkdir(at(name), 0o755))
	}
	unpack := func(name string, files ...file) {
		require.NoError(t, Unpack(at(name), archive(t, files...), Options{}))
	}
	unpack("bottom", dir("etc/"), reg("etc/hosts", "a"), reg("etc/passwd", "a"),
		dir("var/"), reg("var/gone", "a"), dir("var/log/"), reg("var/log/old", "a"),
		dir("opt/"), reg("opt/below", "a"), reg("plain", "a"), symlink("link", "etc"))
	unpack("top", reg("etc/hosts", "b"), reg("var/.wh.gone", ""),
		dir("opt/"), reg("opt/.wh..wh..opq", ""), reg("opt/above", "b"))
	options := fmt.Sprintf("lowerdir=%s:%s,upperdir=%s,workdir=%s", at("top"), at("bottom"),
		at("upper"), at("work"))
	if NeedsUserXattr() {
		options += ",userxattr"
	}
	require.NoError(t, unix.Mount("overlay", at("root"), "overlay", 0, options))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(at("root"), 0)) })
	return at("root"), at("upper"), []string{at("top"), at("bottom")}
}

// texts writes changes as docker does.
func texts(all []Change) []string {
	var lines []string
	for _, c := range all {
		lines = append(lines, fmt.Sprintf("%c %s", c.Kind, c.Name))
	}
	return lines
}

// What is done in a mounted overlay is what Diff finds in its upper directory.
func TestDiff(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(root string) error
		want []string
	}{
		{"nothing", func(string) error { return nil }, nil},
		{"a new file", write("etc/new"), []string{"C /etc", "A /etc/new"}},
		{"a new directory", func(root string) error {
			return errors.Join(os.MkdirAll(root+"/srv/www", 0o755), write("srv/www/index")(root))
		}, []string{"A /srv", "A /srv/www", "A /srv/www/index"}},
		{"another content", write("etc/hosts"), []string{"C /etc", "C /etc/hosts"}},
		{"another mode", func(root string) error {
			return os.Chmod(root+"/plain", 0o600)
		}, []string{"C /plain"}},
		{"another mode of a directory", func(root string) error {
			return os.Chmod(root+"/var/log", 0o700)
		}, []string{"C /var", "C /var/log"}},
		{"a file goes", remover("etc/passwd"), []string{"C /etc", "D /etc/passwd"}},
		{"a directory goes", remover("var/log"), []string{"C /var", "D /var/log"}},
		{"made and gone again", func(root string) error {
			return errors.Join(write("brief")(root), os.Remove(root+"/brief"))
		}, nil},
		{"a new one in place of one that the image deletes", write("var/gone"),
			[]string{"A /var/gone", "C /var"}},
		{"a directory that is made anew", func(root string) error {
			return errors.Join(os.RemoveAll(root+"/etc"), os.Mkdir(root+"/etc", 0o755),
				write("etc/hosts")(root))
		}, []string{"C /etc", "C /etc/hosts", "D /etc/passwd"}},
		{"one that was opaque before", func(root string) error {
			return errors.Join(os.RemoveAll(root+"/opt"), os.Mkdir(root+"/opt", 0o755))
		}, []string{"C /opt", "D /opt/above"}},
		{"a directory in place of a link", func(root string) error {
			return errors.Join(os.Remove(root+"/link"), os.Mkdir(root+"/link", 0o755),
				write("link/hosts")(root))
		}, []string{"C /link", "A /link/hosts"}},
		{"another name", func(root string) error {
			return os.Rename(root+"/plain", root+"/etc/plain")
		}, []string{"C /etc", "A /etc/plain", "D /plain"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, upper, lower := merged(t)
			require.NoError(t, test.do(root))
			all, err := Diff(upper, lower)
			require.NoError(t, err)
			byName := func(a, b string) int { return strings.Compare(a[2:], b[2:]) }
			slices.SortFunc(test.want, byName)
			assert.Equal(t, test.want, texts(all))
		})
	}
}

// write makes or changes a file.
func write(name string) func(root string) error {
	return func(root string) error {
		return os.WriteFile(filepath.Join(root, name), []byte("changed"), 0o644)
	}
}

// remover removes a file or directory.
func remover(name string) func(root string) error {
	return func(root string) error { return os.RemoveAll(filepath.Join(root, name)) }
}

// What is copied into a place where others work neither changes a directory into a file,
// nor gives away rights.
func TestUnpackBeside(t *testing.T) {
	suid := reg("su", "x")
	suid.Mode = 0o6755
	device := file{}
	device.Typeflag, device.Name, device.Mode, device.Devmajor = '3', "null", 0o666, 1
	for _, test := range []struct {
		name string
		from file
		want error
	}{
		{"a file for a file", reg("file", "new"), nil},
		{"a directory for a directory", dir("dir"), nil},
		{"a file for a directory", reg("dir", "new"), ErrRefused},
		{"a directory for a file", dir("file"), ErrRefused},
		{"a directory for a link to one", dir("link"), ErrRefused},
		{"with set-user-ID", suid, nil},
		{"a device", device, ErrRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			require.NoError(t, errors.Join(write("file")(root), os.Mkdir(root+"/dir", 0o755),
				os.Symlink("dir", root+"/link")))
			err := Unpack(root, archive(t, test.from),
				Options{Plain: true, Merge: true, Tame: true})
			require.ErrorIs(t, err, test.want)
			if info, err := os.Stat(root + "/su"); err == nil {
				assert.Equal(t, os.FileMode(0o755), info.Mode())
			}
		})
	}
}

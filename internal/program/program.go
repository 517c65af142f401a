// Package program finds or builds the programs of this module: the steps and
// the lab itself, each as one static executable that also runs in an empty
// root file system.
//
// A program is looked for, in this order: in the directory $LAB_BIN; beside
// the running executable (an installation, or bin/ after make build); and in a
// checkout, where it is built into the invoker's cache.
package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"lab/internal/invoker"
)

// ErrNoSource means that there is neither a built program nor a checkout.
var ErrNoSource = errors.New("not installed here, and there is no checkout to build it from")

// ErrNoGo means that a program has to be built and no Go was found.
var ErrNoGo = errors.New("no go command found on PATH, in /usr/local/go or in the home directory")

// Path returns the path of the named program, "lab" or a step such as
// "03-mount". It builds the program when that is the only way to have it.
func Path(ctx context.Context, name string) (string, error) {
	paths, err := Paths(ctx, name)
	if err != nil {
		return "", err
	}
	return paths[name], nil
}

// Paths is Path for several programs, with at most one build for all.
func Paths(ctx context.Context, names ...string) (map[string]string, error) {
	found := map[string]string{}
	var missing []string
	for _, name := range names {
		if path := installed(name); path != "" {
			found[name] = path
		} else {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	dir, err := build(ctx, missing)
	if err != nil {
		return nil, fmt.Errorf("find the program %s: %w", strings.Join(missing, ", "), err)
	}
	for _, name := range missing {
		found[name] = filepath.Join(dir, name)
	}
	return found, nil
}

// installed returns the path of a program that is there already, or "".
func installed(name string) string {
	dirs := []string{os.Getenv("LAB_BIN")}
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); dir != "" && err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// build builds programs from the checkout that the working directory is in and
// returns the directory that holds them. It is quick when nothing changed.
func build(ctx context.Context, names []string) (string, error) {
	root, err := Checkout()
	if err != nil {
		return "", err
	}
	goTool, err := Go()
	if err != nil {
		return "", err
	}
	if err := look(root); err != nil {
		return "", err
	}
	who, err := invoker.Current()
	if err != nil {
		return "", err
	}
	// Two checkouts must not overwrite each other's programs.
	dir := filepath.Join(who.CacheDir(), "bin", strings.ReplaceAll(root[1:], "/", "%"))
	if err := who.MkdirAll(dir); err != nil {
		return "", err
	}
	// With gcc on PATH a program that imports net would be linked dynamically
	// and fail with a bare ENOENT in a root without a loader.
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", dir + "/"}
	for _, name := range names {
		args = append(args, Package(name))
	}
	cmd := exec.CommandContext(ctx, goTool, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	RunAs(cmd, who)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
}

// look reads the state of every source file. go test takes a result from its
// cache unless a file changed that the test itself looked at, and what go build
// reads in a process of its own does not count.
func look(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	})
}

// Package returns the import path of a program, relative to the module.
func Package(name string) string {
	switch name {
	case "lab":
		return "./cmd/lab"
	case "minirun", "mini":
		return "./final/cmd/" + name
	case "attack":
		return "./final/test/attack"
	}
	return "./steps/" + name
}

// Checkout returns the root of the checkout that the working directory is in.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module lab\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", ErrNoSource
		}
	}
}

// Go returns the path of the go command. sudo(8) replaces PATH by one that
// often lacks it, so the usual places are looked at too.
func Go() (string, error) {
	if path, err := exec.LookPath("go"); err == nil {
		return path, nil
	}
	places := []string{"/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/snap/bin/go"}
	if who, err := invoker.Current(); err == nil {
		release := "go" + strings.TrimPrefix(runtime.Version(), "go")
		places = append(places, filepath.Join(who.Home, "go", "bin", "go"),
			filepath.Join(who.Home, ".local", "go", "bin", "go"),
			filepath.Join(who.Home, "sdk", release, "bin", "go"))
	}
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", ErrNoGo
}

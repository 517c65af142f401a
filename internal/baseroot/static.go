//go:build linux

package baseroot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// module is the path of this module, and program that of the binary to build.
const (
	module  = "lab"
	program = "lab/cmd/lab"
)

// StaticBinary returns the path of a lab binary that runs in an empty root. That is the
// running program when it is static. A plain `go build` with gcc in PATH links it
// dynamically; then it is built once more, without cgo, into cacheDir, and found there
// from then on. An empty cacheDir is $XDG_CACHE_HOME/lab/bin.
func StaticBinary(cacheDir string) (string, error) {
	const self = "/proc/self/exe"
	static, err := isStatic(self)
	if err != nil {
		return "", err
	}
	if static {
		return os.Executable()
	}
	if cacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a place for the static lab: %w", err)
		}
		cacheDir = filepath.Join(base, "lab", "bin")
	}
	id, err := identity(self)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cacheDir, "lab-"+id)
	if ok, err := isStatic(path); err == nil && ok {
		return path, nil
	}
	dir, err := checkout()
	if err != nil {
		return "", err
	}
	return path, build(context.Background(), dir, program, path)
}

// isStatic reports whether an ELF program needs no loader: it has no PT_INTERP.
func isStatic(path string) (bool, error) {
	file, err := elf.Open(path)
	if err != nil {
		return false, fmt.Errorf("read the ELF header of %s: %w", path, err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return false, nil
		}
	}
	return true, nil
}

// identity names the build of a Go program, so that the cache never answers with the
// binary of another one: the Go build ID, or a hash of the file without one.
func identity(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var content io.Reader = file
	if parsed, err := elf.NewFile(file); err == nil {
		if note := parsed.Section(".note.go.buildid"); note != nil {
			content = note.Open()
		}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// checkout finds the source of this module: where this file was compiled, or above the
// working directory or the program.
func checkout() (string, error) {
	var starts []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		starts = append(starts, filepath.Dir(file))
	}
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	for _, dir := range starts {
		for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if err == nil && strings.HasPrefix(string(text), "module "+module+"\n") {
				return dir, nil
			}
		}
	}
	return "", errors.New("this lab is linked dynamically and its source is not here: " +
		"build it in its checkout with `CGO_ENABLED=0 go build -o lab ./cmd/lab`")
}

// build builds a program without cgo. It appears at path in one step, so that several
// builds at a time do no harm.
func build(ctx context.Context, dir, pkg, path string) error {
	goTool, err := findGo()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer func() { _ = os.Remove(temp) }() // After success it is no longer there.
	cmd := exec.CommandContext(ctx, goTool, "build", "-trimpath", "-ldflags=-s -w",
		"-o", temp, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS,
		"GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("CGO_ENABLED=0 go build %s in %s: %w\n%s", pkg, dir, err,
			bytes.TrimSpace(out))
	}
	return os.Rename(temp, path)
}

// findGo returns the go command. Under sudo(8) PATH may lack it, so the place where
// this program's toolchain says it lives and the usual one are tried, too.
func findGo() (string, error) {
	if path, err := exec.LookPath("go"); err == nil {
		return path, nil
	}
	places := []string{os.Getenv("GOROOT") + "/bin", "/usr/local/go/bin", "/usr/lib/go/bin"}
	for _, dir := range places {
		path := filepath.Join(dir, "go")
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", errors.New("this lab is linked dynamically and there is no go command to build " +
		"a static one: build it with `CGO_ENABLED=0 go build -o lab ./cmd/lab`")
}

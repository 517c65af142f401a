// Command pack makes modules.zip: what the module of a learner's workspace
// consists of before there is a step in it. It takes the versions from go.mod
// and the files from the module cache:
//
//	go.mod
//	vendor/modules.txt
//	vendor/golang.org/x/sys/unix/syscall_linux.go …
//
// Of each library it takes the packages that the steps import, of each package
// the files that a build for Linux on amd64 or arm64 reads, and the licence.
package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// archive is the file to write, in the directory of package workspace.
const archive = "modules.zip"

// module is a library, as go list tells of it.
type module struct {
	Path, Version, Dir, GoVersion string
	Main                          bool
}

// library is a package of a module, as go list tells of it.
type library struct {
	ImportPath, Dir               string
	Module                        *module
	GoFiles, SFiles               []string
	HFiles, EmbedFiles, SysoFiles []string
}

// main writes the archive or says in one line why not.
func main() {
	if err := pack(); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// pack collects the files and writes the archive if it holds anything else.
// Another release of Go may compress better; that is no change.
func pack() error {
	libraries, err := list("amd64")
	if err != nil {
		return err
	}
	more, err := list("arm64")
	if err != nil {
		return err
	}
	files, err := collect(append(libraries, more...))
	if err != nil {
		return err
	}
	there, err := unzip(archive)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if maps.EqualFunc(files, there, bytes.Equal) {
		return nil
	}
	return write(files)
}

// list asks for the libraries that the steps are built with.
func list(arch string) ([]library, error) {
	cmd := exec.Command("go", "list", "-deps", "-json", "../../steps/...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", arch, err)
	}
	var found []library
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var l library
		err := decoder.Decode(&l)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", arch, err)
		}
		if l.Module != nil && !l.Module.Main {
			found = append(found, l)
		}
	}
}

// collect returns the content of the archive by name.
func collect(libraries []library) (map[string][]byte, error) {
	files := map[string][]byte{}
	modules := map[string]*module{}
	packages := map[string][]string{}
	for _, l := range libraries {
		m := l.Module
		modules[m.Path] = m
		if !slices.Contains(packages[m.Path], l.ImportPath) {
			packages[m.Path] = append(packages[m.Path], l.ImportPath)
		}
		names := slices.Concat(l.GoFiles, l.SFiles, l.HFiles, l.EmbedFiles, l.SysoFiles)
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(l.Dir, name))
			if err != nil {
				return nil, err
			}
			files[path.Join("vendor", l.ImportPath, name)] = text
		}
		if err := addLicences(files, m); err != nil {
			return nil, err
		}
	}
	inOrder := slices.SortedFunc(maps.Values(modules), func(a, b *module) int {
		return cmp.Compare(a.Path, b.Path)
	})
	files["go.mod"] = goMod(inOrder)
	files["vendor/modules.txt"] = modulesTxt(inOrder, packages)
	return files, nil
}

// addLicences adds what has to go with a module's files.
func addLicences(files map[string][]byte, m *module) error {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, _, _ := strings.Cut(strings.ToUpper(e.Name()), ".")
		if !slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS"}, name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return err
		}
		files[path.Join("vendor", m.Path, e.Name())] = text
	}
	return nil
}

// goMod writes the file that makes a workspace a module.
func goMod(modules []*module) []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "// Your programs. Build one in its directory with go build: "+
		"vendor/ has all it takes.\n"+
		"module workspace\n\ngo 1.26.0\n\nrequire (\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "\t%s %s\n", m.Path, m.Version)
	}
	fmt.Fprint(&b, ")\n")
	return b.Bytes()
}

// modulesTxt writes what the go command holds against go.mod:
//
//	# golang.org/x/sys v0.49.0
//	## explicit; go 1.26.0
//	golang.org/x/sys/unix
func modulesTxt(modules []*module, packages map[string][]string) []byte {
	var b bytes.Buffer
	for _, m := range modules {
		fmt.Fprintf(&b, "# %s %s\n## explicit; go %s\n", m.Path, m.Version, m.GoVersion)
		for _, name := range slices.Sorted(slices.Values(packages[m.Path])) {
			fmt.Fprintln(&b, name)
		}
	}
	return b.Bytes()
}

// unzip reads an archive.
func unzip(name string) (map[string][]byte, error) {
	r, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	files := map[string][]byte{}
	for _, f := range r.File {
		if files[f.Name], err = fs.ReadFile(r, f.Name); err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", f.Name, name, err)
		}
	}
	return files, nil
}

// write writes the archive: the same bytes for the same files.
func write(files map[string][]byte) error {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.CreateHeader(&zip.FileHeader{
			Name: name, Method: zip.Deflate,
			Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
		})
		if err != nil {
			return err
		}
		if _, err := w.Write(files[name]); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(archive, b.Bytes(), 0o644) //nolint:gosec // a file of the repository
}

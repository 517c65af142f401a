//go:build linux

package corpus_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	gobuild "go/build"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/program"
)

// exports returns a way to the compiled form of every package that a step imports.
func exports(t *testing.T, checkout string) importer.Lookup {
	t.Helper()
	goTool, err := program.Go()
	require.NoError(t, err)
	list := exec.CommandContext(t.Context(), goTool, "list", "-export", "-deps",
		"-f", "{{.ImportPath}}\t{{.Export}}", "./steps/...")
	list.Dir = checkout
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	require.NoError(t, err)
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("import %s: no step does that", path)
		}
		return os.Open(files[path])
	}
}

// disguise renames every identifier that the program in a directory declares, and
// takes from what it says about a failure all words of its own.
func disguise(dir string, exported importer.Lookup) error {
	places := token.NewFileSet()
	files, err := parse(dir, places)
	if err != nil {
		return err
	}
	d := &disguiser{
		defs: map[*ast.Ident]types.Object{}, uses: map[*ast.Ident]types.Object{},
		names: map[string]string{}, kept: map[string]bool{"main": true, "init": true, "_": true},
	}
	config := types.Config{Importer: importer.ForCompiler(places, "gc", exported)}
	d.own, err = config.Check("main", places, slices.Collect(maps.Values(files)),
		&types.Info{Defs: d.defs, Uses: d.uses})
	if err != nil {
		return err
	}
	d.keep()
	for _, file := range files {
		ast.Inspect(file, muffle)
		ast.Inspect(file, d.rename)
	}
	for path, file := range files {
		var text bytes.Buffer
		if err := format.Node(&text, places, file); err != nil {
			return err
		}
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// parse reads the Go files of a directory, by their paths.
func parse(dir string, places *token.FileSet) (map[string]*ast.File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	files := map[string]*ast.File{}
	for _, path := range paths {
		fits, err := gobuild.Default.MatchFile(dir, filepath.Base(path))
		if err != nil || !fits {
			return nil, errors.Join(err, fmt.Errorf("%s is not for this machine", path))
		}
		// Without the comments: they stay where they were, which is another place then.
		files[path], err = parser.ParseFile(places, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// muffle has say, which says what went wrong, say something else:
//
//	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
//	fmt.Fprint(os.Stderr, "no", fmt.Sprint("%s: %v\n", program, err)[:0], "\n")
func muffle(node ast.Node) bool {
	function, isFunction := node.(*ast.FuncDecl)
	if !isFunction {
		return true
	}
	ast.Inspect(function, func(node ast.Node) bool {
		call, isCall := node.(*ast.CallExpr)
		if !isCall || function.Name.Name != "say" || len(call.Args) < 2 {
			return true
		}
		printer, isPrinter := call.Fun.(*ast.SelectorExpr)
		if !isPrinter || !strings.HasPrefix(printer.Sel.Name, "Fprint") {
			return true
		}
		said := &ast.CallExpr{
			Fun:  &ast.SelectorExpr{X: printer.X, Sel: ast.NewIdent("Sprint")},
			Args: call.Args[1:],
		}
		printer.Sel = ast.NewIdent("Fprint")
		call.Args = []ast.Expr{
			call.Args[0], literal(token.STRING, `"no"`),
			&ast.SliceExpr{X: said, High: literal(token.INT, "0")},
			literal(token.STRING, `"\n"`),
		}
		return false
	})
	return false
}

// literal makes a literal.
func literal(kind token.Token, text string) *ast.BasicLit {
	return &ast.BasicLit{Kind: kind, Value: text}
}

// disguiser renames the identifiers of a package: those of one name to one other, so
// that what an embedded type, a key of a structure or a selector means stays the same.
type disguiser struct {
	own        *types.Package
	defs, uses map[*ast.Ident]types.Object
	names      map[string]string
	kept       map[string]bool
}

// keep finds the names by which others know something of the package: methods, for
// interfaces may ask for them, and embedded types of other packages.
func (d *disguiser) keep() {
	for _, object := range d.defs {
		switch o := object.(type) {
		case *types.Func:
			if o.Signature().Recv() != nil && o.Exported() {
				d.kept[o.Name()] = true
			}
		case *types.Var:
			if o.Embedded() && !d.declares(o.Name()) {
				d.kept[o.Name()] = true
			}
		}
	}
}

// declares reports whether the package has something of this name.
func (d *disguiser) declares(name string) bool { return d.own.Scope().Lookup(name) != nil }

// rename gives an identifier of the package its other name, with a capital letter
// where it had one: encoding/json looks at that.
func (d *disguiser) rename(node ast.Node) bool {
	if file, isFile := node.(*ast.File); isFile {
		for _, declaration := range file.Decls {
			ast.Inspect(declaration, d.rename)
		}
		return false // the package's name stays
	}
	id, isIdent := node.(*ast.Ident)
	if !isIdent || d.kept[id.Name] {
		return true
	}
	object, defined := d.defs[id]
	if !defined {
		object = d.uses[id]
	}
	_, imported := object.(*types.PkgName)
	// The v of `switch v := x.(type)` is defined, and no object.
	if imported || object == nil && !defined || object != nil && object.Pkg() != d.own {
		return true
	}
	if d.names[id.Name] == "" {
		letter := "x"
		if id.IsExported() {
			letter = "X"
		}
		d.names[id.Name] = fmt.Sprintf("%s%d", letter, len(d.names))
	}
	id.Name = d.names[id.Name]
	return true
}

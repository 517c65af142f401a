package workspace

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// stubs has a directory for each step, with START.md and, for each file that is
// the learner's to complete, NAME.go.txt: the functions to write.
//
//go:embed stubs
var stubs embed.FS

// stub returns what there is of a file for the learner to write, nil if the
// whole file is given.
func stub(step, file string) ([]byte, error) {
	text, err := stubs.ReadFile(path.Join("stubs", step, file+".txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// parsed is a Go file with its text.
type parsed struct {
	text []byte
	file *ast.File
	fset *token.FileSet
}

// parse reads a Go file.
func parse(name string, text []byte) (parsed, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	return parsed{text, file, fset}, err
}

// at returns the place of a position in the text.
func (p parsed) at(pos token.Pos) int { return p.fset.Position(pos).Offset }

// functions returns the functions and methods that a file declares, by name, as
// in v1.limit.
func (p parsed) functions() map[string]*ast.FuncDecl {
	found := map[string]*ast.FuncDecl{}
	for _, decl := range p.file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			found[functionName(fn)] = fn
		}
	}
	return found
}

// functionName is the name of a function, after that of its receiver's type.
func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	kind := fn.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if ident, ok := kind.(*ast.Ident); ok {
		return ident.Name + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// source returns a declaration with its comment, as it is written.
func (p parsed) source(decl ast.Decl) []byte {
	start, end := p.extent(decl)
	return p.text[start:end]
}

// extent returns where a declaration and its comment begin and end in the text.
func (p parsed) extent(decl ast.Decl) (start, end int) {
	first := decl.Pos()
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc != nil {
			first = d.Doc.Pos()
		}
	case *ast.GenDecl:
		if d.Doc != nil {
			first = d.Doc.Pos()
		}
	}
	return p.at(first), p.at(decl.End())
}

// replacement is a new text for a part of an old one.
type replacement struct {
	start, end int
	text       []byte
}

// replace makes replacements that do not overlap. The last comes first, so the
// places of the others stay what they are.
func replace(text []byte, all []replacement) []byte {
	slices.SortFunc(all, func(a, b replacement) int {
		return cmp.Or(cmp.Compare(b.start, a.start), cmp.Compare(b.end, a.end))
	})
	for _, r := range all {
		text = slices.Concat(text[:r.start], r.text, text[r.end:])
	}
	return text
}

// complete puts the functions of a stub in the place of the reference's, and its
// other declarations before the first function.
func complete(name string, reference, stub []byte) ([]byte, error) {
	if stub == nil {
		return reference, nil
	}
	old, err := parse(name, reference)
	if err != nil {
		return nil, err
	}
	now, err := parse(name, stub)
	if err != nil {
		return nil, fmt.Errorf("stub: %w", err)
	}
	functions := old.functions()
	var changes []replacement
	first := len(old.text)
	for _, fn := range functions {
		start, _ := old.extent(fn)
		first = min(first, start)
	}
	for _, decl := range now.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			there, ok := functions[functionName(d)]
			if !ok {
				return nil, fmt.Errorf("stub of %s: the reference has no function %s",
					name, functionName(d))
			}
			start, end := old.extent(there)
			changes = append(changes, replacement{start, end, now.source(d)})
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				changes = append(changes,
					replacement{first, first, append(now.source(d), "\n\n"...)})
			}
		}
	}
	text := replace(old.text, changes)
	return withImports(name, text, slices.Concat(old.imports(), now.imports()))
}

// imports returns the paths that a file imports.
func (p parsed) imports() []string {
	var paths []string
	for _, spec := range p.file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, name)
		}
	}
	return paths
}

// withImports gives a file those imports, of the ones it may have, that it uses.
func withImports(name string, text []byte, paths []string) ([]byte, error) {
	p, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	ast.Inspect(p.file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	var standard, others []string
	slices.Sort(paths)
	for _, file := range slices.Compact(paths) {
		switch {
		case !used[path.Base(file)]:
		case strings.Contains(file, "."):
			others = append(others, strconv.Quote(file))
		default:
			standard = append(standard, strconv.Quote(file))
		}
	}
	block := fmt.Sprintf("import (\n%s\n\n%s\n)",
		strings.Join(standard, "\n"), strings.Join(others, "\n"))
	if len(standard)+len(others) == 0 {
		block = ""
	}
	var changes []replacement
	for _, decl := range p.file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
			start, end := p.extent(d)
			changes = append(changes, replacement{start, end, []byte(block)})
			block = ""
		}
	}
	return format.Source(replace(p.text, changes))
}

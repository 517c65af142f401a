package workspace

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"strings"
)

// errNoContainer means that a program has no type for a run that could be given
// more fields.
var errNoContainer = errors.New("no file declares type container struct")

// newFields returns the fields that a step adds to its parent's container type,
// as they are written, by name: the new files use them.
func newFields(parent, step Files) (names []string, lines map[string]string, err error) {
	_, old, err := container(parent)
	if err != nil {
		return nil, nil, err
	}
	p, now, err := container(step)
	if err != nil {
		return nil, nil, err
	}
	lines = map[string]string{}
	for _, field := range now.Fields.List {
		for _, name := range field.Names {
			if hasField(old, name.Name) {
				continue
			}
			line := name.Name + " " + string(p.text[p.at(field.Type.Pos()):p.at(field.Type.End())])
			if field.Comment != nil {
				line += " // " + strings.TrimSpace(field.Comment.Text())
			}
			names = append(names, name.Name)
			lines[name.Name] = line
		}
	}
	return names, lines, nil
}

// addFields adds to the container type of a program what the step's reference has
// more than its parent's, and says what was added. A program that has a field of
// the name keeps it.
func addFields(own, parent, step Files) (added []string, err error) {
	names, lines, err := newFields(parent, step)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		p, kind, err := container(own)
		if err != nil {
			return nil, err
		}
		if hasField(kind, name) {
			continue
		}
		place := p.at(kind.Fields.Closing)
		if ast.IsExported(name) && len(kind.Fields.List) > 0 {
			// Before the command, which is the last of what was asked for.
			place = p.at(kind.Fields.List[0].Pos())
			for _, field := range kind.Fields.List {
				if len(field.Names) == 1 && field.Names[0].Name == "Command" {
					place = p.at(field.Pos())
				}
			}
		}
		line := []byte(lines[name] + "\n")
		text, err := format.Source(replace(p.text, []replacement{{place, place, line}}))
		if err != nil {
			return nil, fmt.Errorf("add %s to type container: %w", name, err)
		}
		own[p.fset.Position(p.file.Pos()).Filename] = text
		added = append(added, name)
	}
	return added, nil
}

// container finds the type of that name among a program's files.
func container(files Files) (parsed, *ast.StructType, error) {
	for _, name := range files.Names() {
		p, err := parse(name, files[name])
		if err != nil {
			continue // the compiler says it better
		}
		for _, decl := range p.file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE {
				continue
			}
			for _, spec := range d.Specs {
				t := spec.(*ast.TypeSpec)
				if kind, ok := t.Type.(*ast.StructType); ok && t.Name.Name == "container" {
					return p, kind, nil
				}
			}
		}
	}
	return parsed{}, nil, errNoContainer
}

// hasField reports whether a struct has a field of this name.
func hasField(kind *ast.StructType, name string) bool {
	for _, field := range kind.Fields.List {
		for _, ident := range field.Names {
			if ident.Name == name {
				return true
			}
		}
	}
	return false
}

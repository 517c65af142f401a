// Package object reads JSON into structures and writes it, as package encoding/json does,
// for a program that does so once and ends.
//
//	err := object.Read(text, &config)
//	text, err := object.Write(record)
//
// encoding/json finds out about all types that a structure leads to before it reads the
// first value, be they in the text or not. That pays from the second value on: the
// specification's types took it an eighth of a start. Here it reads and writes what has
// no types, maps and lists, and package reflect carries that to the fields and back.
//
// The rules are those of encoding/json, but the name of a field has to be written as in
// its tag: JSON tells capitals from small letters, and the specification does.
package object

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Read reads the text into the structure that a pointer points to. An error is a
// *json.SyntaxError, or says which field cannot hold what is there:
//
//	.process.args: a number, which is no []string
func Read(text []byte, pointer any) error {
	var tree any
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber() // as it is written: a float64 has 53 bits
	if in.Decode(&tree) != nil || in.InputOffset() < int64(len(bytes.TrimSpace(text))) {
		// This one has words for a text that ends too early, or too late.
		if err := json.Unmarshal(text, &tree); err != nil {
			return err
		}
	}
	return fill(reflect.ValueOf(pointer).Elem(), tree, "")
}

// fill carries a part of the tree to where it belongs. null changes nothing.
func fill(v reflect.Value, tree any, path string) error {
	if tree == nil {
		return nil
	}
	mismatch := func() error {
		return fmt.Errorf("%s: a %s, which is no %s", cmp.Or(path, "."), kind(tree), v.Type())
	}
	switch v.Kind() {
	case reflect.Struct:
		text, isText := tree.(string)
		if to, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok && isText {
			return to.UnmarshalText([]byte(text))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), tree, path)
	case reflect.Interface:
		v.Set(reflect.ValueOf(tree))
		return nil
	default: // it depends on the tree
	}
	ok, err := false, error(nil)
	switch from := tree.(type) {
	case map[string]any:
		ok, err = fillObject(v, from, path)
	case []any:
		ok, err = fillList(v, from, path)
	case json.Number:
		ok = fillNumber(v, from.String())
	case string:
		if ok = v.Kind() == reflect.String; ok {
			v.SetString(from)
		}
	case bool:
		if ok = v.Kind() == reflect.Bool; ok {
			v.SetBool(from)
		}
	}
	if !ok {
		return mismatch()
	}
	return err
}

// kind is what JSON calls a part of the tree.
func kind(tree any) string {
	switch tree.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case json.Number:
		return "number"
	default:
		return fmt.Sprintf("%T", tree) // string, bool
	}
}

// fillObject carries an object to a structure or a map.
func fillObject(v reflect.Value, from map[string]any, path string) (ok bool, err error) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _ := nameOf(field)
			switch {
			case field.Anonymous: // its fields are ours
				_, err = fillObject(v.Field(i), from, path)
			case name != "":
				err = fill(v.Field(i), from[name], path+"."+name)
			}
			if err != nil {
				return true, err
			}
		}
		return true, nil
	case reflect.Map:
		v.Set(reflect.MakeMapWithSize(v.Type(), len(from)))
		for name, tree := range from {
			value := reflect.New(v.Type().Elem()).Elem()
			if err := fill(value, tree, path+"."+name); err != nil {
				return true, err
			}
			v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), value)
		}
		return true, nil
	default:
		return false, nil
	}
}

// fillList carries an array to a slice.
func fillList(v reflect.Value, from []any, path string) (ok bool, err error) {
	if v.Kind() != reflect.Slice {
		return false, nil
	}
	v.Set(reflect.MakeSlice(v.Type(), len(from), len(from)))
	for i, tree := range from {
		if err := fill(v.Index(i), tree, path); err != nil {
			return true, err
		}
	}
	return true, nil
}

// fillNumber carries a number to a field that can hold it.
func fillNumber(v reflect.Value, from string) bool {
	switch {
	case v.CanInt():
		n, err := strconv.ParseInt(from, 10, v.Type().Bits())
		v.SetInt(n)
		return err == nil
	case v.CanUint():
		n, err := strconv.ParseUint(from, 10, v.Type().Bits())
		v.SetUint(n)
		return err == nil
	case v.CanFloat():
		n, err := strconv.ParseFloat(from, v.Type().Bits())
		v.SetFloat(n)
		return err == nil
	}
	return false
}

// nameOf is the name of a field in JSON, "" for one that has none there, and whether it is
// left out where it is empty.
//
//	Limit *int64 `json:"limit,omitempty"`
func nameOf(field reflect.StructField) (name string, omitEmpty bool) {
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	switch {
	case name == "-" || !field.IsExported():
		return "", false
	case name == "":
		name = field.Name
	}
	return name, options == "omitempty"
}

// Write writes a structure. The names of its fields come in the order of the alphabet.
func Write(value any) ([]byte, error) {
	tree, err := treeOf(reflect.ValueOf(value))
	if err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

// treeOf makes maps and lists of a value.
func treeOf(v reflect.Value) (any, error) {
	switch kind := v.Kind(); {
	case (kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map) && v.IsNil():
		return nil, nil
	case kind == reflect.Pointer:
		return treeOf(v.Elem())
	case kind == reflect.Struct:
		if from, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
			text, err := from.MarshalText()
			return string(text), err
		}
		tree := map[string]any{}
		return tree, addFields(tree, v)
	case kind == reflect.Slice:
		list := make([]any, v.Len())
		var err error
		for i := 0; i < len(list) && err == nil; i++ {
			list[i], err = treeOf(v.Index(i))
		}
		return list, err
	case kind == reflect.Map:
		tree := map[string]any{}
		for entries := v.MapRange(); entries.Next(); {
			var err error
			if tree[entries.Key().String()], err = treeOf(entries.Value()); err != nil {
				return nil, err
			}
		}
		return tree, nil
	case kind == reflect.String:
		return v.String(), nil
	case kind == reflect.Bool:
		return v.Bool(), nil
	case v.CanInt():
		return v.Int(), nil
	case v.CanUint():
		return v.Uint(), nil
	}
	return nil, fmt.Errorf("JSON has no %s", v.Type())
}

// addFields adds the fields of a structure to an object.
func addFields(tree map[string]any, v reflect.Value) (err error) {
	for i := 0; i < v.NumField() && err == nil; i++ {
		field := v.Type().Field(i)
		name, omitEmpty := nameOf(field)
		switch {
		case field.Anonymous:
			err = addFields(tree, v.Field(i))
		case name != "" && (!omitEmpty || !isEmpty(v.Field(i))):
			tree[name], err = treeOf(v.Field(i))
		}
	}
	return err
}

// isEmpty reports whether a value is nothing: a structure never is.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

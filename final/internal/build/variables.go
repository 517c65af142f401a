package build

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// variables are names and values; the last one of a name counts.
type variables []string

// Get returns the value of a variable.
func (v variables) Get(name string) (string, bool) {
	for _, variable := range slices.Backward(v) {
		if key, value, _ := strings.Cut(variable, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// Keys are the names.
func (v variables) Keys() []string {
	var keys []string
	for _, variable := range v {
		key, _, _ := strings.Cut(variable, "=")
		keys = append(keys, key)
	}
	return keys
}

// set returns the variables with one more, in the place of one of that name.
func (v variables) set(name, value string) variables {
	for i, variable := range v {
		if strings.HasPrefix(variable, name+"=") {
			changed := slices.Clone(v)
			changed[i] = name + "=" + value
			return changed
		}
	}
	return append(slices.Clone(v), name+"="+value)
}

// expand replaces the variables in a word.
func (f *File) expand(word string, v variables) (string, error) {
	text, _, err := shell.NewLex(f.escape).ProcessWord(word, v)
	return text, err
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lab/final/internal/spec"
)

// spec writes a configuration to begin with.
func (a *app) spec(args []string) (int, error) {
	flags := newFlags("spec")
	bundle := flags.String("bundle", ".", "write it to `DIR`")
	flags.StringVar(bundle, "b", ".", "")
	rootless := flags.Bool("rootless", false, "for a user who is not root")
	if err := arguments(flags, args, 0, 0); err != nil {
		return 0, err
	}
	config := spec.Example()
	if *rootless {
		config = spec.ExampleRootless(os.Geteuid(), os.Getegid())
	}
	text, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return 0, err
	}
	path := filepath.Join(*bundle, spec.File)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return 0, fmt.Errorf("spec: %s is there already, and stays", path)
	}
	if err != nil {
		return 0, in("spec", err)
	}
	_, err = file.Write(append(text, '\n'))
	return 0, in("spec", errors.Join(err, file.Close()))
}

package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup is the directory below the workspace that Reset moves programs to.
const Backup = ".backup"

// Reset moves a step's directory away and starts the step anew. It returns where
// the directory is now. If the new start fails, the old one is put back.
func (w *Workspace) Reset(ctx context.Context, step string, from From) (string, Started, error) {
	if !w.Has(step) {
		return "", Started{}, fmt.Errorf("reset %s in %s: %w", step, w.Dir, ErrNotStarted)
	}
	if err := w.mkdir(filepath.Join(w.Dir, Backup)); err != nil {
		return "", Started{}, fmt.Errorf("reset %s: %w", step, err)
	}
	backup := w.freeBackup(step)
	if err := os.Rename(w.StepDir(step), backup); err != nil {
		return "", Started{}, fmt.Errorf("reset %s: %w", step, err)
	}
	made, err := w.Start(ctx, step, from)
	if err != nil {
		return "", made, errors.Join(err, os.Rename(backup, w.StepDir(step)))
	}
	return backup, made, nil
}

// freeBackup returns the first name for a backup that nothing has.
func (w *Workspace) freeBackup(step string) string {
	for n := 1; ; n++ {
		path := filepath.Join(w.Dir, Backup, fmt.Sprintf("%s-%d", step, n))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
}

package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// key is what a step's result depends on: what is below, what is done, and the content of
// what is copied, with the modes but without the times.
func key(parent string, s Step, content string, epoch time.Time) (string, error) {
	var what any = s
	if !s.changesFiles() {
		what = s.Config.Config
	}
	text, err := json.Marshal(what)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n%d\n", parent, text, content, epoch.Unix())
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// fingerprint is the content of a layer that was not written yet: what its tar would be if
// all its files were of the same time.
func fingerprint(ctx context.Context, write func(w *writer) error, under tree) (string, error) {
	sum := sha256.New()
	w := newWriter(cancelable{ctx, sum}, under, time.Unix(0, 0))
	if err := write(w); err != nil {
		return "", err
	}
	if err := w.tar.Close(); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

package image

import (
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"lab/final/internal/hint"
)

// The reasons why there is no image, for errors.Is.
var (
	// ErrReference is a name that no image can have.
	ErrReference = hint.New("bad image name",
		"[HOST/]NAME[:TAG|@DIGEST], in small letters")
	// ErrNotFound is a name or ID that no image here has.
	ErrNotFound = errors.New("no such image here")
	// ErrAmbiguous is the beginning of several IDs.
	ErrAmbiguous = errors.New("more than one image has an ID that begins so")
	// ErrDigest is content that is not what its digest says.
	ErrDigest = errors.New("content and digest do not agree")
	// ErrCorrupt is an image or archive that contradicts itself or lacks a part.
	ErrCorrupt = errors.New("damaged image")
)

// NotFoundError says which image is not here.
type NotFoundError struct{ Name string }

// Error names the image.
func (e *NotFoundError) Error() string { return fmt.Sprintf("no image %q here", e.Name) }

// Unwrap makes it an ErrNotFound.
func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// Hint is what to try.
func (e *NotFoundError) Hint() string {
	return "mini images lists what is here; mini pull " + e.Name + " fetches it"
}

// DigestError is content with another digest than promised.
type DigestError struct{ Want, Got digest.Digest }

// Error shows both digests.
func (e *DigestError) Error() string {
	return fmt.Sprintf("its digest should be %s and is %s", e.Want, e.Got)
}

// Unwrap makes it an ErrDigest.
func (e *DigestError) Unwrap() error { return ErrDigest }

package layer

import (
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// The reasons why a layer is refused, for errors.Is.
var (
	// ErrHostile is a tar that reaches for what is not its own.
	ErrHostile = errors.New("hostile layer")
	// ErrTooLarge is a layer beyond the limits.
	ErrTooLarge = errors.New("layer beyond the limits")
	// ErrDigest is a tar whose digest is not the promised one.
	ErrDigest = errors.New("content and digest do not agree")
	// ErrFormat is what is no tar, or not packed in a way that is known.
	ErrFormat = errors.New("not a layer")
	// ErrRefused is an entry for which Options leave no room.
	ErrRefused = errors.New("not unpacked")
	// ErrRenamed is a directory of changes that refers to names in lower layers.
	ErrRenamed = errors.New("refers to another name in a lower layer")
)

// DigestError is a tar with another digest than promised.
type DigestError struct{ Want, Got digest.Digest }

// Error shows both digests.
func (e *DigestError) Error() string {
	return fmt.Sprintf("the digest of its tar should be %s and is %s", e.Want, e.Got)
}

// Unwrap makes it an ErrDigest.
func (e *DigestError) Unwrap() error { return ErrDigest }

// Hint is what to try.
func (e *DigestError) Hint() string {
	return "the image here is damaged: mini rmi it and pull or load it again"
}

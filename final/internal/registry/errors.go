package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"lab/final/internal/hint"
)

// The reasons why an image does not travel, for errors.Is.
var (
	// ErrNotFound is an image that the registry has not.
	ErrNotFound = errors.New("the registry has no such image")
	// ErrDenied is a registry that does not let us.
	ErrDenied = errors.New("the registry does not let you")
	// ErrNoCredentials means that nobody logged in to a registry.
	ErrNoCredentials = errors.New("nobody is logged in there")
	// ErrPlain is a registry that would have to be spoken to without encryption.
	ErrPlain = errors.New("it does not speak https")
	// ErrPlatform is an image that is not offered for the platform.
	ErrPlatform = errors.New("the image is not there for this platform")
	// ErrManifest is a manifest that cannot be understood or contradicts itself.
	ErrManifest = errors.New("bad manifest")
)

// explain says what an answer, or none, of a registry means.
func explain(host string, err error) error {
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return explainAnswer(host, answer)
	}
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("registry %s: %w", host, context.Canceled)
	case errors.Is(err, ErrPlain), strings.Contains(err.Error(), "HTTP response to HTTPS"):
		err = hint.Add(
			fmt.Errorf("registry %s: %w", host, ErrPlain),
			"--insecure trusts everybody on the way to it",
		)
	case badCertificate, unknownAuthority:
		err = hint.Add(
			fmt.Errorf("registry %s: %w", host, err),
			"--insecure does without a certificate that can be verified",
		)
	default:
		err = explainSilence(host, err)
	}
	return err
}

// unreached is a registry that cannot be reached, or not any longer.
type unreached struct{ host, why string }

// Error says why in few words.
func (u *unreached) Error() string {
	return fmt.Sprintf("registry %s cannot be reached: %s", u.host, u.why)
}

// explainSilence puts into words that no answer came. Of what was tried one way after the
// other, the first is told.
func explainSilence(host string, err error) error {
	why := err
	if failed, ok := errors.AsType[*url.Error](err); ok {
		why = failed.Err // without the request
	}
	unknown, isUnknown := errors.AsType[*net.DNSError](err)
	failed, isFailed := errors.AsType[*net.OpError](err)
	switch {
	case isUnknown && unknown.IsNotFound:
		why = errors.New("nobody knows the name")
	case isUnknown:
		why = errors.New("nobody can be asked for the name: " + unknown.Err)
	case isFailed:
		why = failed.Err
	default:
		return fmt.Errorf("registry %s: %w", host, why)
	}
	return hint.Add(
		&unreached{host, why.Error()},
		"is the name right, and is there a network? mini load takes an image from a file",
	)
}

// explainAnswer puts a refusal into words.
func explainAnswer(host string, answer *transport.Error) error {
	switch answer.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("registry %s: %w", host, ErrNotFound)
	case http.StatusUnauthorized, http.StatusForbidden:
		return hint.Add(
			fmt.Errorf("registry %s: %w", host, ErrDenied),
			"mini login "+host+" — or there is no such image",
		)
	}
	text, _, _ := strings.Cut(answer.Error(), "\n")
	if i := strings.Index(text, ": "); i > 0 {
		text = text[i+2:] // without the request
	}
	return fmt.Errorf("registry %s: %d %s: %s", host, answer.StatusCode,
		http.StatusText(answer.StatusCode), text)
}

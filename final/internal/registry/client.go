package registry

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Client is how registries are spoken to. The zero value speaks to them anonymously.
type Client struct {
	Platform    v1.Platform      // which image of several is meant; empty: this machine's
	Insecure    bool             // also plain http, and certificates of anybody
	Credentials *Credentials     // nil: none
	Progress    func(p Progress) // called from several goroutines; may be nil
}

// Progress is how far a layer is.
type Progress struct {
	Layer       digest.Digest
	Done, Total int64
	State       State
}

// State is what happens to a layer.
type State int

// The states of a layer, in their order.
const (
	Waiting State = iota
	Travelling
	Finished
	There // it was there before
)

// parallel is how many layers travel at once.
const parallel = 3

// reference reads a whole image name.
func (c *Client) reference(text string) (name.Reference, error) {
	var options []name.Option
	if c.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(text, options...)
	if err != nil {
		return nil, fmt.Errorf("image name %q: %w", text, err)
	}
	return ref, nil
}

// options are what the library is to do.
func (c *Client) options(ctx context.Context) []remote.Option {
	options := []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(c.transport()),
		remote.WithJobs(parallel),
		remote.WithUserAgent("mini"),
	}
	if c.Credentials != nil {
		options = append(options, remote.WithAuthFromKeychain(c.Credentials))
	}
	return options
}

// report tells how far a layer is.
func (c *Client) report(p Progress) {
	if c.Progress != nil {
		c.Progress(p)
	}
}

// transport is the way to registries.
func (c *Client) transport() http.RoundTripper {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   parallel,
		TLSHandshakeTimeout:   20 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout:       time.Minute,
	}
	if c.Insecure {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // It is asked for.
	}
	return &guard{next: t, insecure: c.Insecure}
}

// guard refuses plain http: for the registry itself, and for wherever it sends us to.
type guard struct {
	next     http.RoundTripper
	insecure bool
}

// RoundTrip sends a request that may be sent.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !g.insecure && !isLoopback(r.URL.Hostname()) {
		return nil, fmt.Errorf("%w: %s", ErrPlain, r.URL.Host)
	}
	return g.next.RoundTrip(r)
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

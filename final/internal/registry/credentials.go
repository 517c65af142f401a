package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sys/unix"
)

// Credentials are names and passwords for registries, in a file as docker's:
//
//	{"auths": {"localhost:5000": {"auth": "bWU6c2VjcmV0"}}}
//
// The last is base64 of me:secret: whoever can read the file has the passwords, so it is
// its owner's alone.
type Credentials struct{ Path string }

// DefaultCredentials is the user's own file.
func DefaultCredentials() *Credentials {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir = filepath.Join(os.Getenv("HOME"), ".config")
	}
	return &Credentials{Path: filepath.Join(dir, "mini", "config.json")}
}

// entry is what is known of one registry.
type entry struct {
	Auth string `json:"auth"`
}

// key is under which name a registry is in the file.
func key(registry string) string { return strings.TrimPrefix(registry, "index.") }

// read reads the file. Members that are not ours stay as they are.
func (c *Credentials) read() (file map[string]json.RawMessage, auths map[string]entry, err error) {
	file, auths = map[string]json.RawMessage{}, map[string]entry{}
	text, err := os.ReadFile(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return file, auths, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err == nil && file["auths"] != nil {
		err = json.Unmarshal(file["auths"], &auths)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the credentials in %s: %w", c.Path, err)
	}
	return file, auths, nil
}

// Resolve finds the credentials for a registry, as the library asks for them.
func (c *Credentials) Resolve(of authn.Resource) (authn.Authenticator, error) {
	_, auths, err := c.read()
	if err != nil {
		return nil, err
	}
	found, ok := auths[key(of.RegistryStr())]
	if !ok {
		return authn.Anonymous, nil
	}
	text, err := base64.StdEncoding.DecodeString(found.Auth)
	user, password, pair := strings.Cut(string(text), ":")
	if err != nil || !pair {
		return nil, fmt.Errorf("the credentials for %s in %s cannot be read", of.RegistryStr(),
			c.Path)
	}
	return &authn.Basic{Username: user, Password: password}, nil
}

// Set remembers a name and password.
func (c *Credentials) Set(registry, user, password string) error {
	return c.change(func(auths map[string]entry) error {
		text := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		auths[key(registry)] = entry{Auth: text}
		return nil
	})
}

// Forget forgets a registry's. ErrNoCredentials means that there were none.
func (c *Credentials) Forget(registry string) error {
	return c.change(func(auths map[string]entry) error {
		if _, ok := auths[key(registry)]; !ok {
			return ErrNoCredentials
		}
		delete(auths, key(registry))
		return nil
	})
}

// change edits the file, one process at a time, and replaces it as a whole.
func (c *Credentials) change(edit func(map[string]entry) error) error {
	dir := filepath.Dir(c.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return &fs.PathError{Op: "flock", Path: lock.Name(), Err: err}
	}
	file, auths, err := c.read()
	if err != nil {
		return err
	}
	if err := edit(auths); err != nil {
		return err
	}
	if file["auths"], err = json.Marshal(auths); err != nil {
		return err
	}
	text, err := json.MarshalIndent(file, "", "\t")
	if err != nil {
		return err
	}
	return replace(c.Path, append(text, '\n'))
}

// replace writes a file that only its owner can read.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-") // its mode is 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Login asks a registry whether it knows a name and password.
func (c *Client) Login(ctx context.Context, registry, user, password string) error {
	var options []name.Option
	if c.Insecure {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(registry, options...)
	if err != nil {
		return fmt.Errorf("log in to %q: %w", registry, err)
	}
	auth := &authn.Basic{Username: user, Password: password}
	way, err := transport.NewWithContext(ctx, reg, auth, c.transport(), nil)
	if err == nil {
		err = ask(ctx, reg, way)
	}
	if answer, ok := errors.AsType[*transport.Error](err); ok &&
		answer.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("log in to %s: %w: wrong name or password", registry, ErrDenied)
	}
	if err != nil {
		return fmt.Errorf("log in: %w", explain(registry, err))
	}
	return nil
}

// ask sees whether a registry lets us in.
func ask(ctx context.Context, reg name.Registry, way http.RoundTripper) error {
	challenge, err := transport.Ping(ctx, reg, way)
	if err == nil && challenge.Scheme != "" {
		return &transport.Error{StatusCode: http.StatusUnauthorized}
	}
	return err
}

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// memory keeps blobs, as a Destination and for a Source.
type memory struct {
	sync.Mutex
	blobs map[digest.Digest][]byte
}

// Has reports whether a blob is there.
func (m *memory) Has(d digest.Digest) bool {
	m.Lock()
	defer m.Unlock()
	_, ok := m.blobs[d]
	return ok
}

// errWrong is content that is not the promised one.
var errWrong = errors.New("wrong content")

// Ingest takes in a blob.
func (m *memory) Ingest(want v1.Descriptor, r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if digest.FromBytes(content) != want.Digest || int64(len(content)) != want.Size {
		return errWrong
	}
	m.Lock()
	defer m.Unlock()
	m.blobs[want.Digest] = content
	return nil
}

// put takes in a document or layer and describes it.
func (m *memory) put(mediaType string, v any) v1.Descriptor {
	content, ok := v.([]byte)
	if !ok {
		content, _ = json.Marshal(v)
	}
	d := v1.Descriptor{
		MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content)),
	}
	m.blobs[d.Digest] = content
	return d
}

// source is an image in memory.
func (m *memory) source(manifest v1.Descriptor) Source {
	return Source{Manifest: manifest, Open: func(d digest.Digest) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(m.blobs[d])), nil
	}}
}

// image makes an image of layers.
func image(layers ...string) (*memory, v1.Descriptor) {
	m := &memory{blobs: map[digest.Digest][]byte{}}
	manifest := v1.Manifest{MediaType: v1.MediaTypeImageManifest}
	manifest.SchemaVersion = 2
	config := v1.Image{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}
	for _, l := range layers {
		d := m.put(v1.MediaTypeImageLayer, []byte(l))
		manifest.Layers = append(manifest.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
	}
	manifest.Config = m.put(v1.MediaTypeImageConfig, config)
	return m, m.put(v1.MediaTypeImageManifest, manifest)
}

// serve starts a registry on the loopback device, perhaps behind something.
func serve(t *testing.T, before func(http.Handler) http.Handler) (host string) {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if before != nil {
		handler = before(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestImageTravelsThereAndBack(t *testing.T) {
	host := serve(t, nil)
	from, manifest := image("one", "two", "three", "two")
	states := map[State]int{}
	var mu sync.Mutex
	client := &Client{Progress: func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		states[p.State]++
		assert.LessOrEqual(t, p.Done, p.Total)
	}}
	require.NoError(t, client.Push(t.Context(), host+"/team/web:1", from.source(manifest)))
	assert.Equal(t, 4, states[Finished])
	require.NoError(t, client.Push(t.Context(), host+"/team/web:2", from.source(manifest)))
	assert.Equal(t, 4, states[There], "what is there does not travel again")

	// A pull that was interrupted goes on: one layer is here already.
	to := &memory{blobs: map[digest.Digest][]byte{}}
	to.put("", []byte("two"))
	clear(states)
	pulled, err := client.Pull(t.Context(), host+"/team/web:1", to)
	require.NoError(t, err)
	assert.Equal(t, manifest.Digest, pulled.Manifest.Digest)
	assert.Equal(t, manifest.Digest, pulled.Remote)
	assert.Equal(t, from.blobs, to.blobs)
	assert.Equal(t, map[State]int{Waiting: 4, There: 1, Travelling: 2, Finished: 2}, states)
	_, err = client.Pull(t.Context(), host+"/team/web@"+manifest.Digest.String(), to)
	require.NoError(t, err)
}

func TestPlatformIsChosen(t *testing.T) {
	host := serve(t, nil)
	client := &Client{}
	index := v1.Index{MediaType: v1.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for _, arch := range []string{"amd64", "arm64"} {
		from, manifest := image("layer for " + arch)
		require.NoError(t, client.Push(t.Context(), host+"/web:"+arch, from.source(manifest)))
		manifest.Platform = &v1.Platform{OS: "linux", Architecture: arch}
		index.Manifests = append(index.Manifests, manifest)
	}
	text, err := json.Marshal(index)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		"http://"+host+"/v2/web/manifests/all", bytes.NewReader(text))
	require.NoError(t, err)
	request.Header.Set("Content-Type", v1.MediaTypeImageIndex)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusCreated, answer.StatusCode)

	for i, arch := range []string{"amd64", "arm64"} {
		to := &memory{blobs: map[digest.Digest][]byte{}}
		client.Platform = v1.Platform{OS: "linux", Architecture: arch}
		pulled, err := client.Pull(t.Context(), host+"/web:all", to)
		require.NoError(t, err)
		assert.Equal(t, index.Manifests[i].Digest, pulled.Manifest.Digest)
		assert.Equal(t, digest.FromBytes(text), pulled.Remote)
		assert.True(t, to.Has(digest.FromString("layer for "+arch)))
	}
	client.Platform.Architecture = "s390x"
	_, err = client.Pull(t.Context(), host+"/web:all", nil)
	require.ErrorIs(t, err, ErrPlatform)
	assert.ErrorContains(t, err, "wanted is linux/s390x, offered linux/amd64, linux/arm64")
}

// lying answers requests for blobs or manifests with something else.
func lying(what, answer string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, what) {
				w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
				_, _ = io.WriteString(w, answer) // the client may have seen enough
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestLyingRegistry(t *testing.T) {
	from, manifest := image("one", "two")
	one := digest.FromString("one").String()
	for _, tt := range []struct {
		name, what, answer string
	}{
		{"another layer", "/blobs/" + one, "eno"},
		{"a longer layer", "/blobs/" + one, strings.Repeat("one", 1000)},
		{"a shorter layer", "/blobs/" + one, "o"},
		{"another manifest than the digest's", "/manifests/" + manifest.Digest.String(), "{}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := serve(t, lying(tt.what, tt.answer))
			require.NoError(t, (&Client{}).Push(t.Context(), host+"/web:1", from.source(manifest)))
			to := &memory{blobs: map[digest.Digest][]byte{}}
			_, err := (&Client{}).Pull(t.Context(), host+"/web@"+manifest.Digest.String(), to)
			require.Error(t, err)
			assert.False(t, to.Has(manifest.Digest), "a manifest comes last")
		})
	}
	for _, answer := range []string{
		"", "{}", "[]", `{"config":{"digest":"sha256:12","size":3}}`,
		`{"config":{"digest":"../../etc/passwd","size":3}}`,
		fmt.Sprintf(`{"config":{"digest":%q,"size":-1}}`, one),
	} {
		t.Run("a manifest that is "+answer, func(t *testing.T) {
			host := serve(t, lying("/manifests/", answer))
			to := &memory{blobs: map[digest.Digest][]byte{}}
			_, err := (&Client{}).Pull(t.Context(), host+"/web", to)
			require.Error(t, err)
			assert.Empty(t, to.blobs)
		})
	}
}

func TestWhatARegistrySaysIsToldInWords(t *testing.T) {
	host := serve(t, nil)
	_, err := (&Client{}).Pull(t.Context(), host+"/nothing:1", nil)
	require.ErrorIs(t, err, ErrNotFound)
	assert.Equal(t, "pull "+host+"/nothing:1: registry "+host+": the registry has no such image",
		err.Error())

	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	host = strings.TrimPrefix(closed.URL, "http://")
	_, err = (&Client{}).Pull(t.Context(), host+"/web", nil)
	require.ErrorContains(t, err, "connection refused")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&Client{}).Pull(ctx, serve(t, nil)+"/web", nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestPlainHTTPIsForThisMachine(t *testing.T) {
	for _, host := range []string{"10.1.2.3:5000", "192.168.0.1", "example.test:80"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host, nil)
		require.NoError(t, err)
		_, err = (&Client{}).transport().RoundTrip(request) //nolint:bodyclose // There is none.
		require.ErrorIs(t, err, ErrPlain)
	}
	// A registry here must not send us, with our credentials, to somewhere else.
	host := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				http.Redirect(w, r, "http://example.test/x", http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	_, err := (&Client{}).Pull(t.Context(), host+"/web", nil)
	require.ErrorIs(t, err, ErrPlain)
}

// asking lets in those who know the password.
func asking(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "se:cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestCredentials(t *testing.T) {
	host := serve(t, asking)
	from, manifest := image("one")
	credentials := &Credentials{Path: filepath.Join(t.TempDir(), "mini", "config.json")}
	client := &Client{Credentials: credentials}
	err := client.Push(t.Context(), host+"/web", from.source(manifest))
	require.ErrorIs(t, err, ErrDenied)
	require.ErrorIs(t, client.Login(t.Context(), host, "me", "wrong"), ErrDenied)
	require.NoError(t, client.Login(t.Context(), host, "me", "se:cret"))
	require.ErrorIs(t, credentials.Forget(host), ErrNoCredentials)

	require.NoError(t, os.WriteFile(credentials.Path, []byte(`{"other": {"x": 1}}`), 0o600))
	require.NoError(t, credentials.Set(host, "me", "se:cret"))
	require.NoError(t, client.Push(t.Context(), host+"/web", from.source(manifest)))
	info, err := os.Stat(credentials.Path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	text, err := os.ReadFile(credentials.Path)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"other"`, "what is not ours stays")

	require.NoError(t, credentials.Forget(host))
	_, err = client.Pull(t.Context(), host+"/web", nil)
	require.ErrorIs(t, err, ErrDenied)
	require.NoError(t, os.WriteFile(credentials.Path, []byte(`nonsense`), 0o600))
	require.ErrorContains(t, credentials.Set(host, "me", "x"), credentials.Path)
}

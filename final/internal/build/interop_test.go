package build_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/final/internal/build"
	"lab/internal/need"
)

// changed stands for a container whose command has removed /gone and written /new.
type changed struct{ upper string }

func (c changed) Run(context.Context, build.Root, build.Run, io.Writer) (
	string, func() error, error,
) {
	const whiteout = 0
	err := unix.Mknod(filepath.Join(c.upper, "gone"), unix.S_IFCHR, whiteout)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.upper, "new"), []byte("new"), 0o640)
	}
	return c.upper, func() error { return nil }, err
}

// skopeo copies what is built here, and umoci unpacks it to what the Dockerfile says.
func TestSkopeoAndUmoci(t *testing.T) {
	need.RealRoot(t) // else umoci maps owners
	need.Tool(t, "skopeo", "skopeo")
	need.Tool(t, "umoci", "umoci")
	w := newWorkshop(t, map[string]string{"gone": "x", "dir/stays": "y"})
	w.b.Runner = changed{t.TempDir()}
	w.name("built:1")
	img := w.build("FROM scratch\nCOPY gone /\nCOPY --chown=7:8 dir /dir\nRUN change\n" +
		"ENTRYPOINT [\"/new\"]")
	assert.Len(t, img.Layers(), 3)
	layout, bundle := filepath.Join(t.TempDir(), "layout"), filepath.Join(t.TempDir(), "bundle")
	for _, args := range [][]string{
		{
			"skopeo", "copy", "oci:" + w.root + "/images:docker.io/library/built:1",
			"oci:" + layout + ":built",
		},
		{"umoci", "unpack", "--image", layout + ":built", bundle},
	} {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		require.NoError(t, err, "%s: %s", args, out)
	}
	root := filepath.Join(bundle, "rootfs")
	assert.NoFileExists(t, filepath.Join(root, "gone"))
	text, err := os.ReadFile(filepath.Join(root, "new"))
	require.NoError(t, err)
	assert.Equal(t, "new", string(text))
	var st unix.Stat_t
	require.NoError(t, unix.Stat(filepath.Join(root, "dir", "stays"), &st))
	assert.Equal(t, []uint32{7, 8}, []uint32{st.Uid, st.Gid})
	config, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	require.NoError(t, err)
	assert.Contains(t, string(config), `"/new"`)
}

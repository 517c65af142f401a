//go:build linux

package mountview

import (
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/screen"
)

const yours = `20 1 8:1 / / rw shared:1 - ext4 /dev/sda rw
21 20 0:5 / /proc rw - proc proc rw
22 20 0:6 / /home rw shared:3 - ext4 /dev/sdb rw
23 22 0:7 / /home/a rw - tmpfs tmpfs rw
`

const theirs = `90 80 8:1 /srv/root / ro master:1 - ext4 /dev/sda rw
92 91 0:40 /null /proc/kcore rw - devtmpfs udev rw
91 90 0:39 / /proc rw - proc proc rw
93 91 0:41 / /proc/acpi ro - tmpfs tmpfs ro
94 90 0:6 / /data rw shared:3 - ext4 /dev/sdb rw
95 90 0:4 net:[4026532692] /run/web rw - nsfs nsfs rw
`

// parsed reads a table as the kernel writes it.
func parsed(t *testing.T, table string) []*mountinfo.Info {
	t.Helper()
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(table), nil)
	require.NoError(t, err)
	return mounts
}

func TestPrint(t *testing.T) {
	m := &Mounts{PID: 7, Own: true, shared: map[string]bool{}}
	m.compare(parsed(t, theirs), parsed(t, yours))
	var out strings.Builder
	m.Print(screen.Screen{Writer: &out, Width: 80})
	want := `   mounted on       type      what it is
~  /                ext4      a bind mount of /srv/root of /dev/sda; read-only;
                              mounts below yours appear here
~  . /proc          proc      processes, as its PID namespace numbers them
+  . . /proc/kcore  devtmpfs  hidden: /dev/null lies over it
+  . . /proc/acpi   tmpfs     hidden: an empty directory lies over it; read-only
+  . /data          ext4      a file system of /dev/sdb; mounts below it appear
                              at yours, and yours here
+  . /run/web       nsfs      a file that holds net:[4026532692]

6 mounts: 0 as yours, ~ 2 where you see something else, + 4 where you have none.
It lacks 2 of yours: /home.
`
	assert.Equal(t, want, out.String())
	root, found := m.Root()
	require.True(t, found)
	assert.Equal(t, 90, root.ID)
}

// A long place takes several lines and is not cut.
func TestALongPlace(t *testing.T) {
	m := &Mounts{PID: 7, Own: true, shared: map[string]bool{}}
	m.compare(parsed(t, `91 90 0:39 / / rw - tmpfs tmpfs rw
92 91 0:40 / /run/containers/storage/overlay-containers/0123456789abcdef rw - tmpfs tmpfs rw
`), nil)
	var out strings.Builder
	m.Print(screen.Screen{Writer: &out, Width: 60})
	want := `   mounted on             type   what it is
+  /                      tmpfs  in memory, gone with the
                                 last user
+  . /run/containers/     tmpfs  in memory, gone with the
     storage/                    last user
     overlay-containers/
     0123456789abcdef

2 mounts: 0 as yours, ~ 0 where you see something else, + 2
where you have none.
`
	assert.Equal(t, want, out.String())
}

func TestACopyIsTheSame(t *testing.T) {
	m := &Mounts{Own: true, shared: map[string]bool{}}
	m.compare(parsed(t, strings.ReplaceAll(yours, "20 1 ", "120 1 ")), parsed(t, yours))
	assert.Equal(t, 4, m.Count(Same))
	assert.Empty(t, m.Lacks)
}

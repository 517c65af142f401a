package journal

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// statTail is what follows the state in a line of /proc/PID/stat.
const statTail = " 1 1701 1701 0 -1 4194304 88 0 0 0 0 0 0 0 20 0 1 0 8731 2641920 192 184467"

func TestParseStat(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want process
	}{
		"plain":       {"1701 (sleep) S" + statTail, process{1701, 1, "sleep", "S", "8731"}},
		"parentheses": {"7 (a) R (b) c) Z" + statTail, process{7, 1, "a) R (b) c", "Z", "8731"}},
		"no name":     {"7 () S" + statTail, process{7, 1, "", "S", "8731"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(c.line))
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
	for name, line := range map[string]string{
		"empty": "", "no parentheses": "7 sleep S", "reversed": "7 )(", "short": "7 (sleep) S 1 2",
		"pid is no number":    "x (sleep) S" + statTail,
		"parent is no number": "7 (sleep) S x" + statTail[2:],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseStat([]byte(line))
			assert.Error(t, err)
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) R (b) c) Z" + statTail))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := parseStat(line)
		if err == nil && (p.state == "" || p.start == "") {
			t.Errorf("%q: %+v", line, p)
		}
	})
}

func TestNftName(t *testing.T) {
	// nfgenmsg of family ip, table "nat", chain "post", handle 5.
	message := []byte{
		2, 0, 0, 0,
		8, 0, 1, 0, 'n', 'a', 't', 0,
		9, 0, 2, 0, 'p', 'o', 's', 't', 0, 0, 0, 0,
		12, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 5,
	}
	name, err := nftName(message, []uint16{1, 2}, 3)
	require.NoError(t, err)
	assert.Equal(t, "ip nat post handle 5", name)
	name, err = nftName(message, []uint16{1}, 0)
	require.NoError(t, err)
	assert.Equal(t, "ip nat", name)
	_, err = nftName(message[:3], nil, 0)
	assert.Error(t, err)
}

// A parent that is its own ancestor, as a pid used anew can make it look,
// must not hold up the walk.
func TestDescendsInACircle(t *testing.T) {
	all := map[int]process{-2: {pid: -2, parent: -3}, -3: {pid: -3, parent: -2}}
	assert.False(t, descends(all[-2], all))
}

func TestOthers(t *testing.T) {
	for _, name := range []string{
		"cron.service", "user-1000.slice", "session-2.scope", "550a943db8ff21224e279e599dd92ad5",
		"lab-test-7-abcdef", "lab-need-7",
	} {
		assert.True(t, others(name), name)
	}
	for _, name := range []string{"lab-5f3c", "web", "deadbeef", "docker", "a learner's own"} {
		assert.False(t, others(name), name)
	}
}

func TestPropagation(t *testing.T) {
	assert.Equal(t, "private", propagation(""))
	assert.Equal(t, "shared master", propagation("shared:7 master:1"))
}

//go:build linux

package rootless

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/sys/user"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// What is lent follows behind the own id, range after range.
func TestMaps(t *testing.T) {
	m := maps{
		users:  mapping(1000, []user.SubID{{SubID: 100000, Count: 10}, {SubID: 5000, Count: 2}}),
		groups: mapping(100, nil),
	}
	assert.Equal(t, "user 0 1000 1\nuser 1 100000 10\nuser 11 5000 2\ngroup 0 100 1\n", m.String())
	assert.False(t, m.alone())
}

// A root directory is written with the same ids each time, and who has but one is told once.
func TestRemember(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	var said []string
	warn := func(text string) { said = append(said, text) }
	alone := maps{users: mapping(1000, nil), groups: mapping(1000, nil)}
	require.NoError(t, alone.remember(root, warn))
	require.NoError(t, alone.remember(root, warn))
	assert.Len(t, said, 1)
	more := maps{users: mapping(1000, []user.SubID{{SubID: 1, Count: 1}}), groups: alone.groups}
	assert.ErrorIs(t, more.remember(root, warn), errAliens)
}

// Of many who want a keeper at the same time one starts it.
func TestOneKeeper(t *testing.T) {
	dir, starts := t.TempDir(), make(chan int, 20)
	anyone := func(keeper) bool { return true }
	me, err := monitor.Self()
	require.NoError(t, err)
	found := make(chan error)
	for range cap(starts) {
		go func() {
			held, err := hold(dir)
			if err == nil {
				defer held.Close()
				_, err = findOrStart(dir, anyone, func(*os.File) error {
					starts <- 1
					// This process does as well as any: it lives.
					self, err := json.Marshal(keeper{Process: me})
					if err != nil {
						return err
					}
					path := filepath.Join(dir, "keeper.json")
					return errors.Join(os.WriteFile(path+".new", self, 0o600),
						os.Rename(path+".new", path))
				})
			}
			found <- err
		}()
	}
	for range cap(starts) {
		require.NoError(t, <-found)
	}
	assert.Len(t, starts, 1)
	_, err = findOrStart(t.TempDir(), anyone, func(word *os.File) error {
		_, err := word.WriteString("why")
		return err
	})
	assert.ErrorContains(t, err, "keep the namespace: why")
}

// A directory of somebody else's, or a link to one, is not used.
func TestOwnDir(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, ownDir(filepath.Join(dir, "a/b")))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(dir, link))
	assert.ErrorContains(t, ownDir(link), "it is no directory of yours")
}

// serve is an echo, once, of both kinds.
func serve(t *testing.T) (stream, packet netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() }) // it was only listened
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = io.Copy(conn, conn) // the other end looks
			_ = conn.Close()
		}
	}()
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() }) // as above
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := p.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = p.WriteTo(buffer[:n], from) // as above
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()),
		netip.MustParseAddrPort(p.LocalAddr().String())
}

// A door passes on what is said, both ways, and the end of it; closed, it is shut.
func TestDoors(t *testing.T) {
	stream, packet := serve(t)
	var here *Network // what Do does is done here
	tcp, err := here.Open("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	tcp.Lead(stream)
	conn, err := net.Dial("tcp4", tcp.stream.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	text := strings.Repeat("0123456789", 30000)
	go func() {
		_, _ = io.WriteString(conn, text) // what comes back is looked at
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	back, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, text, string(back))

	_, err = here.Open("tcp", tcp.stream.Addr().String())
	assert.ErrorIs(t, err, unix.EADDRINUSE)
	require.NoError(t, tcp.Close())

	udp, err := here.Open("udp", "127.0.0.1:0")
	require.NoError(t, err)
	udp.Lead(packet)
	for _, said := range []string{"one", "another"} {
		conn, err := net.Dial("udp4", udp.packet.LocalAddr().String())
		require.NoError(t, err)
		assert.Equal(t, said, exchange(t, conn, said))
		assert.Equal(t, "more", exchange(t, conn, "more"))
	}
	udp.mu.Lock()
	assert.Len(t, udp.peers, 2)
	udp.mu.Unlock()
	require.NoError(t, udp.Close())
	assert.ErrorIs(t, udp.packet.Close(), net.ErrClosed)
}

// exchange sends a packet until one comes back, for packets may be lost.
func exchange(t *testing.T, conn net.Conn, said string) string {
	t.Helper()
	buffer := make([]byte, 100)
	for range 60 {
		_, err := io.WriteString(conn, said)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Second)))
		n, err := conn.Read(buffer)
		if err == nil && string(buffer[:n]) == said {
			return said
		}
		require.True(t, err == nil || errors.Is(err, os.ErrDeadlineExceeded), "%v", err)
	}
	return ""
}

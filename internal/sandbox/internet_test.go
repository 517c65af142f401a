package sandbox_test

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The host reaches the internet by its default route, the internet answers
// the host, and knows no way to what is behind it.
func TestInternet(t *testing.T) {
	if !insideSandbox(t) {
		return
	}
	need.Net(t)
	internet := sandbox.Internet(t)
	var server net.Listener
	require.NoError(t, internet.Do(func() (err error) {
		server, err = net.Listen("tcp4", net.JoinHostPort(sandbox.InternetAddress, "0"))
		return err
	}))
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, conn.RemoteAddr().(*net.TCPAddr).IP.String())
		_ = conn.Close() // the reader sees what came
	}()

	conn, err := net.DialTimeout("tcp4", server.Addr().String(), 10*time.Second)
	require.NoError(t, err)
	seen, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, sandbox.HostAddress, string(seen))

	// Both sides have their own namespace, and the way back ends at the host.
	handle, err := internet.Handle.Stat()
	require.NoError(t, err)
	ours, err := os.Stat("/proc/thread-self/ns/net")
	require.NoError(t, err)
	assert.False(t, os.SameFile(handle, ours))
	err = internet.Do(func() error {
		_, err := net.DialTimeout("tcp4", "10.77.0.2:1", time.Second)
		return err
	})
	assert.ErrorIs(t, err, unix.ENETUNREACH)
}

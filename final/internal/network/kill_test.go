package network_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"lab/final/internal/network"
	"lab/internal/need"

	"github.com/stretchr/testify/require"
)

// A command that is killed at any moment leaves nothing that keeps the next one from its
// work, and with the container's end all is gone.
func TestKilledAnywhere(t *testing.T) {
	need.Net(t)
	dir := filepath.Join(t.TempDir(), "networks")
	s, err := network.Open(dir)
	require.NoError(t, err)
	_, err = s.Create(network.Options{Name: "web"})
	require.NoError(t, err)
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range 25 {
		c := start(t, "web"+strconv.Itoa(i))
		command := exec.Command("/proc/self/exe", dir, c.id, strconv.Itoa(c.pid))
		command.Env = append(os.Environ(), attachFor+"=1")
		require.NoError(t, command.Start())
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		require.NoError(t, command.Process.Kill())
		_ = command.Wait() // it was killed, as a rule
		if i%2 == 0 {
			r := c.request("web")
			r.Ports = ports(t, "8080:80")
			attach(t, s, r)
			serve(t, c.ns(), "tcp", ":80", c.id)
			reaches(t, host, "tcp", "127.0.0.1:8080", c.id)
			require.NoError(t, s.Detach(c.id))
		}
		c.kill()
	}
	require.NoError(t, s.Remove("web"))
	clean(t)
}

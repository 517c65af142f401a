package network_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"lab/final/internal/network"
	"lab/internal/sandbox"
)

// attachFor has this program be one that attaches a container: DIR ID PID. It is killed
// while it does.
const attachFor = "NETWORK_TEST_ATTACH"

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) {
	if os.Getenv(attachFor) != "" {
		os.Exit(attachOnce(os.Args[1:]))
	}
	os.Exit(sandbox.Run(m))
}

// attachOnce puts a container on the network web, with a port.
func attachOnce(args []string) int {
	s, err := network.Open(args[0])
	if err == nil {
		var pid int
		pid, err = strconv.Atoi(args[2])
		r := network.Request{
			ID: args[1], Name: args[1], PID: pid, Join: []network.Join{{Network: "web"}},
			Ports: []network.Port{{Proto: "tcp", Host: 8080, Container: 80}},
		}
		if err == nil {
			_, err = s.Attach(r)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

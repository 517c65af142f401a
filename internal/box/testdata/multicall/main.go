// Command multicall is the userland alone: the applets of internal/box by argv[0].
package main

import (
	"fmt"
	"os"

	"lab/internal/box"
)

func main() {
	status, ok := box.Run(os.Args)
	if !ok {
		fmt.Fprintf(os.Stderr, "multicall: no applet %q\n", os.Args[0])
		status = 127
	}
	os.Exit(status)
}

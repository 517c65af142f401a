// Command static prints the path of the static lab binary that it finds or builds in
// the cache directory of its argument. It imports net, so with cgo it is dynamic.
package main

import (
	"fmt"
	"net"
	"os"

	"lab/internal/baseroot"
)

func main() {
	_, _ = net.LookupPort("tcp", "http") // Only the import matters.
	path, err := baseroot.StaticBinary(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}

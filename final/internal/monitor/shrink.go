//go:build linux

package monitor

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// shrink gives back the memory of what was done and is not done again soon: the heap's,
// and the pages of the program's own file that were read on the way, which for a monitor
// are most. The kernel reads those again that are needed, from its cache: madvise(2).
//
//	00400000-00d2f000 r-xp 00000000 08:01 1234   /usr/local/bin/mini
//	(1)               (2)                        (3)
//
// (1) first address and the one behind the last, (2) rights; what cannot be written is as
// it is in the file, (3) the file.
func shrink() {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return // it is larger than it need be
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || !strings.HasPrefix(fields[5], "/") || fields[1][1] == 'w' {
			continue
		}
		var from, to uintptr
		if n, _ := fmt.Sscanf(fields[0], "%x-%x", &from, &to); n == 2 {
			// It is a hint, and may be refused.
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}

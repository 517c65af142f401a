package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// legacyInfo is struct ipt_getinfo of linux/netfilter_ipv4/ip_tables.h.
type legacyInfo struct {
	name       [32]byte
	validHooks uint32
	hookEntry  [5]uint32
	underflow  [5]uint32
	entries    uint32
	size       uint32
}

// legacyTables lists the tables of iptables-legacy that hold rules. A table
// comes into being when somebody looks at it, empty, and stays: only rules
// count. /proc/net/ip_tables_names has a table's name on each line:
//
//	nat
//	filter
//
// In a user namespace that was made together with its network namespace the
// file is nobody's, and not readable.
func legacyTables() ([]Entry, error) {
	names, err := os.ReadFile("/proc/thread-self/net/ip_tables_names")
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list iptables-legacy tables: %w", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("list iptables-legacy rules: %w", err)
	}
	defer func() { _ = unix.Close(socket) }() // nothing was written to it

	var found []Entry
	for table := range strings.FieldsSeq(string(names)) {
		info, err := legacyTable(socket, table)
		if err != nil {
			return found, fmt.Errorf("read iptables-legacy table %s: %w", table, err)
		}
		// Each hook ends in its policy, the table in an error entry.
		builtIn := uint32(bits.OnesCount32(info.validHooks)) + 1
		if info.entries <= builtIn {
			continue
		}
		what := "iptables-legacy table " + table
		state := fmt.Sprintf("%d entries in %d bytes", info.entries-builtIn, info.size)
		found = append(found, Entry{Kind: Rules, ID: what, What: what, State: state})
	}
	return found, nil
}

// legacyTable asks for the size of a table, getsockopt(IPT_SO_GET_INFO).
func legacyTable(socket int, name string) (legacyInfo, error) {
	const getInfo = 64
	var info legacyInfo
	copy(info.name[:], name)
	size := uint32(binary.Size(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(socket), unix.IPPROTO_IP, getInfo,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return info, errno
	}
	return info, nil
}

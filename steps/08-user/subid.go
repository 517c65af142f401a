package main

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// subordinate appends the range that root has set aside for this user, if
// there is one and the helper is installed that may map it.
func subordinate(
	ids *[]syscall.SysProcIDMap, helper, file string, uid int,
) bool {
	if _, err := exec.LookPath(helper); err != nil {
		return false
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	id := strconv.Itoa(uid)
	name := id
	if who, err := user.LookupId(id); err == nil {
		name = who.Username
	}
	first, size := findRange(string(text), name, id)
	*ids = append(*ids,
		syscall.SysProcIDMap{ContainerID: 1, HostID: first, Size: size})
	return size > 0
}

// findRange returns the first range of a user, by name or by number.
//
//	alice:100000:65536
//	(1)who (2)first (3)how many
func findRange(text, name, id string) (first, size int) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || (fields[0] != name && fields[0] != id) {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		size, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil {
			return first, size
		}
	}
	return 0, 0
}

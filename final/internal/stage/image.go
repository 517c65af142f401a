//go:build linux

package stage

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"lab/final/internal/kernel"

	"golang.org/x/sys/unix"
)

// A process that enters a pid namespace is seen by those in there before it has executed
// its program, as a copy of this process: who may trace it gets at the file of this
// program as /proc/PID/exe or in /proc/PID/map_files, and can write to it once we have
// ended (CVE-2019-5736). So the first process becomes one that executes the read-only
// clone. An execve(2) would do, and Go begin anew. It is cheaper to map the program from
// the clone where it is mapped already, byte for byte the same, and to have the kernel
// name the clone, which it does when nothing of the old file is mapped any longer.

// part is a part of this program's file in memory.
type part struct {
	start, length, offset, rights uintptr
}

// rawCall is a system call that needs nothing but numbers.
type rawCall struct {
	number uintptr
	args   [6]uintptr
}

// mmMap is struct prctl_mm_map: linux/prctl.h.
type mmMap struct {
	startCode, endCode, startData, endData, startBrk, brk, startStack uint64
	argStart, argEnd, envStart, envEnd, auxv                          uint64
	auxvSize, exe                                                     uint32
}

// canRename reports whether a process may name another file as its program. The kernel
// has this for programs that are restored from a checkpoint.
func canRename() bool {
	var size uint32
	err := unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_MAP_SIZE,
		uintptr(unsafe.Pointer(&size)), 0, 0)
	return err == nil && uintptr(size) == unsafe.Sizeof(mmMap{})
}

// isWatched reports whether others see the new process from its birth: it joins a pid
// namespace.
func (p *prepared) isWatched() bool {
	watched := p.c.Join&unix.CLONE_NEWPID != 0
	for _, n := range p.namespaces {
		watched = watched || n.kind == unix.CLONE_NEWPID && !n.done
	}
	return watched
}

// rename orders what makes the first process a copy of the clone, if others will see it.
// What the program can write to is not mapped anew but given up: the functions of raw.go
// use no variable but their orders, which are on the heap.
func (p *prepared) rename() error {
	if !p.isWatched() || isProtected() {
		return nil
	}
	parts, err := readParts()
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/proc/self/fd/%d", p.exe) // it may be open as a path alone
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.c.Exe.Name(), err)
	}
	p.copies = append(p.copies, fd)
	for _, m := range parts {
		call := rawCall{unix.SYS_MMAP, [6]uintptr{
			m.start, m.length, m.rights, unix.MAP_PRIVATE | unix.MAP_FIXED,
			uintptr(fd), m.offset,
		}}
		if m.rights&unix.PROT_WRITE != 0 {
			call = rawCall{unix.SYS_MUNMAP, [6]uintptr{m.start, m.length}}
		}
		p.renames = append(p.renames, call)
	}
	// The addresses are no more than valid ones: execve(2) makes others in a moment.
	at := uint64(parts[0].start)
	p.mm = mmMap{at, at + 1, at, at, at, at, at, at, at, at, at, 0, 0, uint32(fd)}
	p.renames = append(p.renames, rawCall{unix.SYS_PRCTL, [6]uintptr{
		unix.PR_SET_MM, unix.PR_SET_MM_MAP, uintptr(unsafe.Pointer(&p.mm)), unsafe.Sizeof(p.mm),
	}})
	return nil
}

// readParts finds out how this program is mapped: the lines that name its file.
func readParts() ([]part, error) {
	text, err := kernel.Read("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	path, err := os.Readlink(self)
	if err != nil {
		return nil, err
	}
	var parts []part
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, " "+path+"\n") {
			continue
		}
		p, err := parsePart(line)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("/proc/self/maps: nothing of %q", path)
	}
	return parts, nil
}

// parsePart reads a line of /proc/PID/maps. See proc_pid_maps(5).
//
//	00400000-00599000 r-xp 00000000 fe:00 263254                     /usr/bin/minirun
//	(1)from-to (2)rights (3)offset in the file (4)device (5)inode (6)file
func parsePart(line string) (part, error) {
	var from, to, offset uintptr
	var rights string
	if _, err := fmt.Sscanf(line, "%x-%x %s %x", &from, &to, &rights, &offset); err != nil {
		return part{}, fmt.Errorf("/proc/self/maps: %q: %w", line, err)
	}
	p := part{start: from, length: to - from, offset: offset}
	for i, right := range []uintptr{unix.PROT_READ, unix.PROT_WRITE, unix.PROT_EXEC} {
		if len(rights) > i && rights[i] != '-' {
			p.rights |= right
		}
	}
	return p, nil
}

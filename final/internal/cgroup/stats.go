package cgroup

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// Stats is what a container uses, in the shape that clients know from `runc events
// --stats`. Bytes and nanoseconds. What the container has not joined is zero, and no
// limit is the largest number, but for pids, where it is 0.
type Stats struct {
	CPU     CPU                `json:"cpu"`
	CPUSet  CPUSet             `json:"cpuset"`
	Memory  Memory             `json:"memory"`
	Pids    Pids               `json:"pids"`
	Blkio   Blkio              `json:"blkio"`
	Hugetlb map[string]Hugetlb `json:"hugetlb"` // by size: 2MB
}

// CPU is time on processors.
type CPU struct {
	Usage      CPUUsage   `json:"usage"`
	Throttling Throttling `json:"throttling"`
	PSI        *PSI       `json:"psi,omitempty"`
}

// CPUUsage is the time used, in nanoseconds.
type CPUUsage struct {
	Total        uint64   `json:"total"`
	Percpu       []uint64 `json:"percpu,omitempty"`
	PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
	PercpuUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling is what the quota has taken.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"` // nanoseconds
}

// CPUSet is where the container may run.
type CPUSet struct {
	CPUs []uint16 `json:"cpus,omitempty"`
	Mems []uint16 `json:"mems,omitempty"`
}

// Memory is what memory the container uses. Swap is memory and swap together, as
// version 1 counts it.
type Memory struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"` // memory.stat
	PSI       *PSI              `json:"psi,omitempty"`
}

// MemoryEntry is one kind of memory.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"` // the most there ever was
	Failcnt uint64 `json:"failcnt"`       // how often the limit was met
}

// Pids counts tasks.
type Pids struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// Blkio is what went from and to block devices.
type Blkio struct {
	IoServiceBytesRecursive []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IoServicedRecursive     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	PSI                     *PSI         `json:"psi,omitempty"`
}

// BlkioEntry is one kind of operation on one device.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"` // Read, Write, …
	Value uint64 `json:"value,omitempty"`
}

// Hugetlb is the use of huge pages of one size.
type Hugetlb struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// PSI is how long tasks waited for a resource: some of them, or all at once.
type PSI struct {
	Some PSIData `json:"some"`
	Full PSIData `json:"full"`
}

// PSIData is the share of time in percent, and the time in microseconds.
type PSIData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// Stats reads what the container uses now.
func (c *Cgroup) Stats() (Stats, error) {
	s := Stats{Hugetlb: map[string]Hugetlb{}}
	var errs []error
	for _, p := range c.Places {
		r := &reader{dir: p.Dir}
		for _, name := range p.Controllers {
			if p.Version == 2 {
				s.readV2(r, name)
			} else {
				s.readV1(r, name)
			}
		}
		errs = append(errs, r.err)
	}
	return s, errors.Join(errs...)
}

// reader reads the files of a directory. One that a kernel does not have is empty;
// the first that cannot be read for another reason is the reader's error.
type reader struct {
	dir string
	err error
}

// failed notes an error and reports whether there was one.
func (r *reader) failed(err error) bool {
	if err != nil && r.err == nil && !errors.Is(err, fs.ErrNotExist) {
		r.err = err
	}
	return err != nil
}

func (r *reader) number(file string) uint64 {
	n, err := readNumber(filepath.Join(r.dir, file))
	r.failed(err)
	return n
}

func (r *reader) keyed(file string) map[string]uint64 {
	values, err := readKeyed(filepath.Join(r.dir, file))
	if r.failed(err) {
		return map[string]uint64{}
	}
	return values
}

// lines reads the words of each line.
func (r *reader) lines(file string) [][]string {
	words, err := readLines(filepath.Join(r.dir, file))
	r.failed(err)
	return words
}

// list reads a list of numbers: 0-3,7.
func (r *reader) list(file string) []uint16 {
	var list []uint16
	for _, words := range r.lines(file) {
		for part := range strings.SplitSeq(words[0], ",") {
			first, last, isRange := strings.Cut(part, "-")
			from, err := strconv.ParseUint(first, 10, 16)
			if r.failed(err) {
				return nil
			}
			to := from
			if isRange {
				to, err = strconv.ParseUint(last, 10, 16)
				r.failed(err)
			}
			for n := from; n <= to; n++ {
				list = append(list, uint16(n))
			}
		}
	}
	return list
}

// pids reads the same files on both versions.
func (r *reader) pids() Pids {
	p := Pids{Current: r.number("pids.current"), Limit: r.number("pids.max")}
	if p.Limit == noLimit {
		p.Limit = 0
	}
	return p
}

// pressure reads a file of PSI, which a kernel may have turned off:
//
//	some avg10=0.00 avg60=0.00 avg300=0.00 total=42
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=7
func (r *reader) pressure(file string) *PSI {
	var psi PSI
	lines, err := readLines(filepath.Join(r.dir, file))
	if err != nil || len(lines) == 0 {
		return nil // also EOPNOTSUPP: it is not counted
	}
	for _, words := range lines {
		data := &psi.Some
		if words[0] == "full" {
			data = &psi.Full
		}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			switch key {
			case "avg10":
				data.Avg10, err = strconv.ParseFloat(value, 64)
			case "avg60":
				data.Avg60, err = strconv.ParseFloat(value, 64)
			case "avg300":
				data.Avg300, err = strconv.ParseFloat(value, 64)
			case "total":
				data.Total, err = strconv.ParseUint(value, 10, 64)
			}
			r.failed(err)
		}
	}
	return &psi
}

// huge reads the sizes of huge pages out of the names of files.
func (r *reader) huge(pattern string) []string {
	paths, err := filepath.Glob(filepath.Join(r.dir, pattern))
	r.failed(err)
	var sizes []string
	for _, path := range paths {
		sizes = append(sizes, strings.Split(filepath.Base(path), ".")[1])
	}
	return sizes
}

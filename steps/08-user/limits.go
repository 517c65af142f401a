package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// limits is what the container may use. Zero is no limit.
type limits struct {
	Memory int64   // bytes, swap included
	CPUs   float64 // 0.5 is half of one CPU's time
	PIDs   int64   // processes, where each thread counts
	Tasks  int     // version 1: how many files the child joins by

	groups []cgroup
}

// The least with which a command starts; docs/decisions/0005-limits.md tells
// how that was measured.
const (
	leastMemory = 4 << 20
	leastPIDs   = 16
)

// flags adds the flags of this file's topic.
func (l *limits) flags(f *flag.FlagSet) {
	f.Func("memory", "`SIZE` of memory and swap, such as 30M",
		func(text string) (err error) {
			l.Memory, err = parseSize(text)
			return err
		})
	f.Func("cpus", "`NUMBER` of CPUs, such as 0.5",
		func(text string) (err error) {
			l.CPUs, err = strconv.ParseFloat(text, 64)
			// The kernel takes no less than 1 ms in 100. NaN is neither.
			if err != nil || !(l.CPUs >= 0.01 && l.CPUs <= 10000) {
				return errors.New("not a number from 0.01 to 10000")
			}
			return nil
		})
	f.Func("pids", "`NUMBER` of processes and threads, such as 64",
		func(text string) (err error) {
			l.PIDs, err = strconv.ParseInt(text, 10, 64)
			if err != nil || l.PIDs < 1 || l.PIDs > 4194304 {
				return errors.New("not a number from 1 to 4194304")
			}
			return nil
		})
}

// parseSize reads a number of bytes, such as 30M.
func parseSize(text string) (int64, error) {
	number := strings.TrimRight(text, "kKmMgG")
	units := map[string]int{"": 0, "K": 10, "M": 20, "G": 30}
	shift, known := units[strings.ToUpper(text[len(number):])]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !known || n < 1 || n > math.MaxInt64>>shift {
		return 0, errors.New("not a size such as 512K, 30M or 2G")
	}
	return n << shift, nil
}

// mib writes a number of bytes for people.
func mib(bytes int64) string {
	n := math.Round(float64(bytes)/(1<<20)*100) / 100
	return strconv.FormatFloat(n, 'f', -1, 64) + " MiB"
}

// quota is the part of each 100 ms that the CPU limit leaves, in microseconds.
func (l *limits) quota() string {
	return strconv.FormatFloat(math.Round(l.CPUs*100_000), 'f', -1, 64)
}

// controllers names those that the limits need: none if nothing is limited.
func (l *limits) controllers() []string {
	var names []string
	if l.Memory > 0 {
		names = append(names, "memory")
	}
	if l.CPUs > 0 {
		names = append(names, "cpu")
	}
	if l.PIDs > 0 {
		names = append(names, "pids")
	}
	return names
}

// enough refuses what no command can start with, on the host, before anything
// is made: the container would end without a word.
func (l *limits) enough() error {
	if l.Memory > 0 && l.Memory < leastMemory {
		return fmt.Errorf("-memory of %d bytes: too small to start a program, "+
			"which takes %d", l.Memory, leastMemory)
	}
	if l.PIDs > 0 && l.PIDs < leastPIDs {
		return fmt.Errorf("-pids %d: too small to start a program, which "+
			"takes %d with the threads of PID 1", l.PIDs, leastPIDs)
	}
	return nil
}

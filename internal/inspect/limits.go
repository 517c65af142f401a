//go:build linux

package inspect

import (
	"fmt"
	"os"
	"strings"
)

// Limit is one line of /proc/PID/limits.
type Limit struct {
	Name       string // "open files"
	Soft, Hard string // a number or "unlimited"
	Unit       string // "files"; may be empty
}

// Limits reads /proc/PID/limits, whose columns have fixed places:
//
//	Limit                     Soft Limit           Hard Limit           Units
//	Max open files            20000                20000                files
//	Max nice priority         0                    0
func Limits(pid int) ([]Limit, error) {
	path := fmt.Sprintf("/proc/%d/limits", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	const soft, hard, unit = 26, 47, 68
	var list []Limit
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, " \n")
		name, found := strings.CutPrefix(line, "Max ")
		if !found || len(line) <= hard {
			continue
		}
		end := min(unit, len(line))
		list = append(list, Limit{
			Name: strings.TrimSpace(name[:soft-len("Max ")]),
			Soft: strings.TrimSpace(line[soft:hard]), Hard: strings.TrimSpace(line[hard:end]),
			Unit: strings.TrimSpace(line[end:]),
		})
	}
	return list, nil
}

//go:build linux

package tour

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/inspect"
)

// limit is the memory limit of the scene, in bytes.
const limit = 30 << 20

// playCgroups sets a limit, lets a process run into it, and shows the
// counters of the cgroup while its command still lives.
func playCgroups(ctx context.Context, s *stage) error {
	err := s.hold(ctx, true, "hog 60M", "-rootfs", s.Root, "-memory", "30M", "-pids", "64")
	if err != nil {
		return err
	}
	dir, version, err := inspect.CgroupDir(s.held.PID, "memory")
	if err != nil {
		return err
	}
	file, events := "memory.limit_in_bytes", "memory.oom_control"
	if version == 2 {
		file, events = "memory.max", "memory.events"
	}
	value := fileText(filepath.Join(dir, file))
	hosts, _, err := inspect.CgroupDir(os.Getpid(), "memory")
	if err != nil {
		return err
	}
	none := cmp.Or(fileText(filepath.Join(hosts, file)), "none") // the root has no such file
	s.demand("memory limit", none, value, "cat "+filepath.Join(dir, file),
		value == fmt.Sprint(limit), "the limit was not set")
	kills := counter(filepath.Join(dir, events), "oom_kill")
	s.demand("OOM kills", "", kills, "cat "+filepath.Join(dir, events),
		kills == "1", "the process that asked for 60 MiB was not killed")
	peak := "memory.max_usage_in_bytes"
	if version == 2 {
		peak = "memory.peak"
	}
	if text := fileText(filepath.Join(dir, peak)); text != "" {
		s.show("memory peak", "", text, "cat "+filepath.Join(dir, peak), "")
	}
	host, err := inspect.Cgroups(os.Getpid())
	if err != nil {
		return err
	}
	inside, err := inspect.Cgroups(s.held.PID)
	if err != nil {
		return err
	}
	name := map[int]string{1: "memory"}[version]
	s.differs("memory cgroup", host[name], inside[name],
		fmt.Sprintf("cat /proc/%d/cgroup", s.held.PID))
	return s.namespace("cgroup", true)
}

// fileText returns the text of a cgroup file, empty if there is none.
func fileText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// counter returns the value of a line such as "oom_kill 1" in a file.
func counter(path, name string) string {
	for line := range strings.Lines(fileText(path)) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == name {
			return words[1]
		}
	}
	return ""
}

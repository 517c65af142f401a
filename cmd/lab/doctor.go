package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/need"
)

// newDoctor makes `lab doctor`.
func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "What this machine can do, and which steps are ready",
		GroupID: groupLook,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return examine(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// finding is the doctor's word on one step.
type finding struct {
	Step  string `json:"step"`
	Ready bool   `json:"ready"`
	Fix   string `json:"fix,omitempty"` // what to do when it is not ready
	Note  string `json:"note,omitempty"`
}

// examine prints the facts and a line for each step.
func examine(cmd *cobra.Command, asJSON bool) error {
	facts := need.Look()
	var findings []finding
	for _, s := range course.Steps() {
		findings = append(findings, diagnose(s, facts))
	}
	if asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Facts need.Facts `json:"facts"`
			Steps []finding  `json:"steps"`
		}{facts, findings})
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "you\t%s\n", whoAndWhere(facts))
	fmt.Fprintf(w, "kernel\t%s %s\n", facts.Kernel, facts.Arch)
	fmt.Fprintf(w, "namespaces\t%s\n", strings.Join(kinds(facts), " "))
	fmt.Fprintf(w, "user namespaces\t%s\n", ability(facts.UserNS))
	fmt.Fprintf(w, "overlay\t%s\n", ability(facts.Overlay))
	fmt.Fprintf(w, "cgroups\t%s\n", facts.Cgroups.Mode)
	for _, name := range []string{"memory", "cpu", "pids"} {
		fmt.Fprintf(w, "  %s\t%s\n", name, whereFound(facts.Cgroups, name))
	}
	fmt.Fprintf(w, "tools\t%s\n", strings.Join(slices.Sorted(maps.Keys(facts.Tools)), " "))
	fmt.Fprintln(w)
	for _, f := range findings {
		word := "ready"
		if !f.Ready {
			word = "not ready: " + f.Fix
		}
		if f.Note != "" {
			word += "; " + f.Note
		}
		fmt.Fprintf(w, "%s\t%s\n", f.Step, word)
	}
	return w.Flush()
}

// kinds returns the namespaces that the kernel has, sorted.
func kinds(facts need.Facts) []string {
	var have []string
	for name, ok := range facts.Namespaces {
		if ok {
			have = append(have, name)
		}
	}
	slices.Sort(have)
	return have
}

// ability puts an ability into words.
func ability(a need.Ability) string {
	if a.OK {
		return "yes: " + a.Why
	}
	if a.Setting != "" {
		return fmt.Sprintf("no: %s (sysctl -w %s=%s)", a.Why, a.Setting, a.Value)
	}
	return "no: " + a.Why
}

// whereFound says in which hierarchy a controller is and which file said so.
func whereFound(c need.Cgroups, name string) string {
	controller, ok := c.Controllers[name]
	if !ok {
		return "not found in /proc/self/mountinfo"
	}
	return fmt.Sprintf("v%d at %s, found in %s",
		controller.Version, controller.Mount, controller.Source)
}

// needs are the namespaces that a step adds to its parent's.
func needs(step course.Step) string {
	return map[string]string{
		"01-uts": "uts", "02-pid": "pid", "03-mount": "mnt", "04-net": "net",
		"05-cgroups": "cgroup", "08-user": "user",
	}[step.ID]
}

// diagnose says whether a step can run here, and if not what would help.
func diagnose(step course.Step, facts need.Facts) finding {
	f := finding{Step: step.ID}
	missing := missingController(facts.Cgroups)
	kind := needs(step)
	switch {
	case facts.OS != "linux":
		f.Fix = "cd vagrant && vagrant up && vagrant ssh"
	case kind != "" && !facts.Namespaces[kind]:
		f.Fix = "a kernel with " + kind + " namespaces"
	case (step.ID == "08-user" || !facts.Root && step.ID != "00-exec") && !facts.UserNS.OK:
		f.Fix = "sudo lab run " + step.ID[:2]
		if facts.UserNS.Setting != "" {
			f.Fix += fmt.Sprintf(", or sudo sysctl -w %s=%s",
				facts.UserNS.Setting, facts.UserNS.Value)
		}
	case step.ID == "05-cgroups" && missing != "":
		f.Fix = fmt.Sprintf("mount the %s controller "+
			"(sudo mount -t cgroup2 none /sys/fs/cgroup)", missing)
	case step.ID == "05-cgroups" && !mayLimit(facts):
		f.Fix = "sudo lab run 05, or a cgroup delegated by " +
			"systemd-run --user --scope -p Delegate=yes"
	case step.ID == "06-unionfs" && !facts.Overlay.OK:
		f.Fix = "sudo modprobe overlay"
	default:
		f.Ready = true
	}
	if f.Ready && step.ID == "04-net" && !facts.Root {
		f.Note = "lo only: the bridge is root's to make (sudo lab run 04)"
	}
	return f
}

// missingController returns the first controller that the path needs and no
// hierarchy has.
func missingController(c need.Cgroups) string {
	for _, name := range []string{"memory", "cpu", "pids"} {
		if _, ok := c.Controllers[name]; !ok {
			return name
		}
	}
	return ""
}

// mayLimit reports whether this account may make a cgroup.
func mayLimit(facts need.Facts) bool {
	return facts.Root || facts.Cgroups.Delegated != "" ||
		facts.Systemd && facts.Cgroups.Mode == "v2" && facts.Tools["systemd-run"] != ""
}

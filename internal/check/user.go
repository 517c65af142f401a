//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// userChecks are those of 08-user.
func userChecks() []Check {
	apart := asUser(ownUserNamespace)
	return []Check{
		{"with -user the container has a user namespace of its own", apart},
		{"its root is an unprivileged user outside", follows(asUser(unprivilegedOutside), apart)},
		{
			"its maps give root one id outside, for users and groups",
			follows(asUser(rootIsMapped), apart),
		},
		{"setgroups is denied in it", follows(asUser(setgroupsDenied), apart)},
		{"its root has none of the caller's groups", follows(groupsLeft, apart)},
		{"its root has every capability inside", follows(asUser(allCapabilities), apart)},
		{
			"its other namespaces belong to its user namespace",
			follows(asUser(ownsNamespaces), apart),
		},
		{"its root has no capability outside", follows(noneOutside, apart)},
		{"when the program is killed, the container ends", diesWithProgram},
	}
}

// asUser makes a check of a question about a waiting container that was made
// with -user and has the built-in root.
func asUser(judge func(*Held) error) func(context.Context, *Subject) error {
	return func(ctx context.Context, s *Subject) error {
		h, err := s.Hold(ctx, true, "-user", "-rootfs", s.Root)
		if err != nil {
			return err
		}
		judged := judge(h)
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	}
}

// ownUserNamespace compares the inodes.
func ownUserNamespace(h *Held) error {
	return compareNamespace(h, "user", "CLONE_NEWUSER")
}

// unprivilegedOutside reads the agent's ids as the host sees them. The kernel
// translates them for the reader: a reader who is root of a user namespace
// itself, as in an ordinary user's sandbox, is shown 0 for that user.
func unprivilegedOutside(h *Held) error {
	status, err := inspect.ReadStatus(h.PID)
	if err != nil {
		return err
	}
	if real, err := rootIsReal(); err != nil || !real {
		return err // our 0 is an ordinary user
	}
	ids := slices.Concat(status.UID[:], status.GID[:], status.Groups)
	if !slices.Contains(ids, 0) {
		return nobodyElse(h, status.UID[0])
	}
	f := &Failure{
		Command: h.Command, Expected: "no id of the container's root is 0 outside",
		Kernel: fmt.Sprintf("/proc/%d/status: Uid %v, Gid %v, Groups %v",
			h.PID, status.UID, status.GID, status.Groups),
		Look: fmt.Sprintf("grep -E 'Uid|Gid|Groups' /proc/%s/status", h.pid()),
	}
	switch {
	case slices.Contains(status.UID[:], 0):
		f.Mistake = "root-outside-too"
		f.Diagnosis = "Uid 0 inside stands for uid 0 outside: whoever gets out is root. " +
			"Where root runs the program, the container needs other ids."
	case slices.Contains(status.GID[:], 0):
		f.Mistake = "group-root-outside"
		f.Diagnosis = "Gid 0 inside stands for gid 0 outside: " +
			"the container's root has the rights of root's group on the host."
	default:
		f.Mistake = "groups-kept"
		f.Diagnosis = groupsKept
	}
	return f
}

// groupsKept is a diagnosis.
const groupsKept = "The container's root still has the groups of whoever ran the program, and " +
	"their files: leave them, setgroups(2), before the namespace is made that denies it."

// rootIsReal reports whether root here is root of the machine, as far as user ids
// go:
//
//	0          0 4294967295
func rootIsReal() (bool, error) {
	own, err := inspect.IDMap(os.Getpid(), "uid")
	return len(own) > 0 && own[0].Inside == 0 && own[0].Outside == 0, err
}

// groupsLeft has somebody with more groups run the program.
func groupsLeft(ctx context.Context, s *Subject) error {
	real, err := rootIsReal()
	if err != nil {
		return err
	}
	if !real || os.Geteuid() != 0 || s.Credential != nil {
		return nil // who is not root could leave no group
	}
	with := *s
	with.Credential = &syscall.Credential{Groups: []uint32{0, 4}}
	return asUser(func(h *Held) error {
		status, err := inspect.ReadStatus(h.PID)
		if err != nil || len(status.Groups) == 0 {
			return err
		}
		return &Failure{
			Command:  "setpriv --groups 0,4 " + h.Command,
			Expected: "the command is in no supplementary group",
			Kernel:   fmt.Sprintf("/proc/%d/status: Groups %v", h.PID, status.Groups),
			Mistake:  "groups-kept", Diagnosis: groupsKept,
			Look: fmt.Sprintf("grep Groups /proc/%s/status", h.pid()),
		}
	})(ctx, &with)
}

// nobodyElse looks for the id among the accounts of the host: the container may
// be whoever runs the program, or nobody.
func nobodyElse(h *Held, id int) error {
	program, err := inspect.ReadStatus(h.Program)
	if err != nil || program.UID[1] == id {
		return err
	}
	all, err := accounts()
	name, known := all[id]
	if err != nil || !known {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: "uid 0 inside is nobody of this host",
		Kernel: fmt.Sprintf("/proc/%d/status: Uid %d, and /etc/passwd has %q for it",
			h.PID, id, name),
		Mistake: "root-is-another-account",
		Diagnosis: "Root inside is somebody else outside: it can end that account's " +
			"processes and read its files.",
		Look: fmt.Sprintf("grep Uid /proc/%s/status; getent passwd %d", h.pid(), id),
	}
}

// setgroupsDenied reads the switch.
func setgroupsDenied(h *Held) error {
	path := fmt.Sprintf("/proc/%d/setgroups", h.PID)
	text, err := os.ReadFile(path)
	if err != nil || string(text) == "deny\n" {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: "deny",
		Kernel:  fmt.Sprintf("%s: %s", path, strings.TrimSpace(string(text))),
		Mistake: "setgroups-not-denied",
		Diagnosis: "Root inside can leave its groups, " +
			"and so reach files that are closed to one of them: " +
			"deny has to be written before the gid_map.",
		Look: fmt.Sprintf("cat /proc/%s/setgroups", h.pid()),
	}
}

// allCapabilities compares the effective set with all that this kernel has.
func allCapabilities(h *Held) error {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return err
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("read cap_last_cap: %w", err)
	}
	status, err := inspect.ReadStatus(h.PID)
	if err != nil {
		return err
	}
	all := uint64(1)<<(last+1) - 1
	if status.CapEff == all {
		return nil
	}
	f := &Failure{
		Command: h.Command, Expected: fmt.Sprintf("CapEff: %016x", all),
		Kernel:    fmt.Sprintf("/proc/%d/status: CapEff: %016x", h.PID, status.CapEff),
		Mistake:   "exec-before-map",
		Diagnosis: execBeforeMap,
		Look:      fmt.Sprintf("grep CapEff /proc/%s/status", h.pid()),
	}
	if status.CapEff != 0 {
		f.Mistake = "capabilities-missing"
		f.Diagnosis = "Root inside lacks capabilities, which are harmless outside of its user " +
			"namespace: something has dropped them, or they are not in the bounding set."
	}
	return f
}

// ownsNamespaces asks the kernel for the owner of each namespace: a capability
// counts only over namespaces that belong to its own user namespace.
func ownsNamespaces(h *Held) error {
	user, err := inspect.Namespace(h.PID, "user")
	if err != nil {
		return err
	}
	for _, kind := range []string{"uts", "pid", "mnt", "net"} {
		owner, err := inspect.Owner(h.PID, kind)
		if err != nil {
			return err
		}
		if owner == user {
			continue
		}
		return &Failure{
			Command:  h.Command,
			Expected: fmt.Sprintf("the %s namespace belongs to user:[%d]", kind, user),
			Kernel: fmt.Sprintf("NS_GET_USERNS of /proc/%d/ns/%s says user:[%d]",
				h.PID, kind, owner),
			Mistake: "namespace-not-owned",
			Diagnosis: "It was made before the user namespace, or not at all, " +
				"so root inside has no right over it.",
			Look: "lsns -o NS,TYPE,PID,ONS -p " + h.pid(),
		}
	}
	return nil
}

// noneOutside lets the container's root open the kernel's log, for which it
// would need CAP_SYSLOG in the first user namespace. Nothing is read from it.
func noneOutside(ctx context.Context, s *Subject) error {
	const opened, refused = 40, 41 // which no program ends with by itself
	line := fmt.Sprintf("if true </proc/kmsg; then exit %d; fi; exit %d", opened, refused)
	r, err := s.Run(ctx, "", []string{"-user"}, s.Root+"/bin/sh", "-c", line)
	if err != nil || r.Status == refused {
		return err
	}
	return &Failure{
		Command: r.Command, Expected: "permission denied, and so exit status 41",
		Kernel:  fmt.Sprintf("exit status %d; %s", r.Status, strings.TrimSpace(r.Stderr)),
		Mistake: "capability-outside",
		Diagnosis: "The container's root has a capability outside of its namespaces: " +
			"it is the host's root.",
		Look: "readlink /proc/self/ns/user",
	}
}

// diesWithProgram kills the program itself, which can clean nothing up then.
func diesWithProgram(ctx context.Context, s *Subject) error {
	h, err := s.Hold(ctx, true, "-user", "-rootfs", s.Root)
	if err != nil {
		return err
	}
	before, err := inspect.StartTime(h.PID)
	if err != nil {
		return err
	}
	if err := h.Signal(unix.SIGKILL); err != nil {
		return err
	}
	// Its input stays open, so the agent has no reason of its own to end.
	err = Until(ctx, soon(), func() (bool, error) {
		return hasEnded(h.PID, before), nil
	})
	_, errWait := h.Wait(ctx)
	// What a killed run leaves of its network the next one takes away.
	_, errNext := s.Run(ctx, "", []string{"-user"}, s.Probe(false), "exit", "0")
	if err == nil {
		return errors.Join(errWait, errNext)
	}
	return &Failure{
		Command: h.Command, Expected: "no process is left after kill -KILL of the program",
		Kernel: fmt.Sprintf("process %d still runs", h.PID), Mistake: "outlives-program",
		Diagnosis: "The kernel forgets PR_SET_PDEATHSIG when a process gains capabilities: " +
			"it has to be asked for again after the second execve(2).",
		Look: "ps -p " + h.pid(),
	}
}

// hasEnded reports whether the process that had this pid and start time is gone,
// or a zombie. What cannot be read any more is gone.
func hasEnded(pid int, start uint64) bool {
	status, err := inspect.ReadStatus(pid)
	if err != nil || status.State == 'Z' {
		return true
	}
	now, err := inspect.StartTime(pid)
	return err != nil || now != start
}

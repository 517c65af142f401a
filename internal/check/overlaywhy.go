//go:build linux

package check

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// noOverlayCause knows why a program with layers gives up: the kernel refused to
// mount them. The call tells what it was given; what the names mean is looked at from
// the process that wanted to mount, for it still is where it was.
//
//	mount("overlay", "merged", "overlay", 0, "lowerdir=1:2,upperdir=upper") = -1 EINVAL (…)
func noOverlayCause(_ *Subject, r *remains) bool {
	at := slices.IndexFunc(r.failed, func(call Traced) bool {
		return call.Call == "mount" && len(call.Args) == 5 && call.Args[2] == `"overlay"`
	})
	if at < 0 {
		return false
	}
	call := r.failed[at]
	text, err := strconv.Unquote(call.Args[4])
	if err != nil {
		return false // there is none, or it is too long to be shown whole
	}
	r.f.Kernel += "; the call: " + call.Text
	upper, work := optionOf(text, "upperdir"), optionOf(text, "workdir")
	switch {
	case call.Errno == "ENOENT":
		return r.names("layer-not-found", "The options name a directory that is not there, seen "+
			"from the process that mounts: a relative name counts from its working directory.", "")
	case call.Errno != "EINVAL":
		return false
	case hasNameless(text):
		return r.names("layers-joined-by-comma", "The layers of lowerdir= stand with colons "+
			"between them: after a comma the next option begins.", "dmesg | tail")
	case upper == "":
		return false
	case work == "":
		return r.names("no-workdir", "An overlay with upperdir= needs workdir= as well, "+
			"an empty directory beside it.", "dmesg | tail")
	}
	return r.wrongWork(upper, work)
}

// optionOf returns the value of one of a mount's options.
func optionOf(options, name string) string {
	for option := range strings.SplitSeq(options, ",") {
		if key, value, _ := strings.Cut(option, "="); key == name {
			return value
		}
	}
	return ""
}

// hasNameless reports whether something that is no option's name stands among an
// overlay's options. Few of those have no value; see mount(8).
func hasNameless(options string) bool {
	return slices.ContainsFunc(strings.Split(options, ","), func(option string) bool {
		return !strings.Contains(option, "=") &&
			!slices.Contains([]string{"", "ro", "rw", "volatile", "userxattr"}, option)
	})
}

// wrongWork knows where workdir= must not be.
func (r *remains) wrongWork(upper, work string) bool {
	u, err := r.place(upper)
	if err != nil {
		return false
	}
	w, err := r.place(work)
	switch {
	case err != nil:
		return false
	case w.mount != u.mount:
		r.f.Kernel += fmt.Sprintf("; upperdir= is %s, and workdir= %s, of another mount",
			u.path, w.path)
		return r.names("work-on-other-fs", "A finished file is renamed from workdir= to "+
			"upperdir=, so both have to be in one file system, and in one mount of it.",
			"dmesg | tail")
	case strings.HasPrefix(w.path+"/", u.path+"/") || strings.HasPrefix(u.path+"/", w.path+"/"):
		r.f.Kernel += fmt.Sprintf("; upperdir= is %s, and workdir= %s", u.path, w.path)
		return r.names("work-inside-upper", "workdir= lies inside upperdir=, or the other way "+
			"round: they have to lie beside each other.", "dmesg | tail")
	}
	return false
}

// place is where a name leads.
type place struct {
	mount uint64 // the mount's number, as in mountinfo
	path  string // without symbolic links, from its mount namespace's root
}

// place follows the name of a directory as the container's child would, from its root
// and its working directory.
func (r *remains) place(name string) (p place, err error) {
	dir := -1
	err = inspect.In(r.child, nil, func() (err error) {
		if err := standWith(r.child); err != nil {
			return err
		}
		dir, err = unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("open %s: %w", name, err)
	}
	defer unix.Close(dir)
	var st unix.Statx_t
	if err := unix.Statx(dir, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil {
		return p, fmt.Errorf("statx %s: %w", name, err)
	}
	p.mount = st.Mnt_id
	p.path, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", dir))
	return p, err
}

// standWith gives the calling thread the root and the working directory of a process.
// To join its mount namespace would not do: there, what is mounted on top of / would
// be our root, and a process that was there before sees what lies below.
func standWith(pid int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare CLONE_FS: %w", err)
	}
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", pid))
	if err != nil {
		return err
	}
	defer root.Close()
	cwd, err := os.Open(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return err
	}
	defer cwd.Close()
	return errors.Join(unix.Fchdir(int(root.Fd())), unix.Chroot("."), unix.Fchdir(int(cwd.Fd())))
}

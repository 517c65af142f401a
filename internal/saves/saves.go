//go:build linux

// Package saves tells when somebody has saved a program's source.
//
// The kernel reports changes of a directory by inotify(7). It reports those made
// through this kernel only: where a directory is another machine's, as a shared
// folder of a virtual machine, it stays silent, and the files have to be looked at
// again and again. An editor makes several changes of one save, such as a new file
// that takes the old one's name, so a save is told when it has been quiet for a
// moment, and only if the files are others than before.
package saves

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// Quiet is how long nothing must change before a save is told.
const Quiet = 200 * time.Millisecond

// How often the files are looked at, alone and beside inotify: what it misses, a
// directory that was replaced or one below, is found a little later.
const (
	often  = 300 * time.Millisecond
	seldom = 2 * time.Second
)

// mostFiles is how many files are looked at: the rest is no program of a lesson.
const mostFiles = 5000

// Watcher watches one directory.
type Watcher struct {
	dir    string
	notify *fsnotify.Watcher // nil where only looking helps
	why    string            // it is looked at
	seen   prints
}

// prints are what tells one state of the files from another.
type prints map[string]string

// Watch begins to watch a directory, which need not be there yet. Poll has the
// files looked at even where inotify would do.
func Watch(dir string, poll bool) *Watcher {
	w := &Watcher{dir: dir, why: "as asked"}
	if !poll {
		w.why = remote(dir)
	}
	if w.why == "" {
		notify, err := fsnotify.NewWatcher()
		if err == nil {
			w.notify = notify
		} else {
			w.why = err.Error() // such as too many instances
		}
	}
	w.seen = look(dir)
	return w
}

// How says in words how the directory is watched.
func (w *Watcher) How() string {
	if w.notify != nil {
		return "inotify"
	}
	return fmt.Sprintf("looking every %s: %s", often, w.why)
}

// Run sends a value for each save until the context ends. A receiver that is late
// gets one for all that it has missed.
func (w *Watcher) Run(ctx context.Context, saved chan<- struct{}) {
	every := often
	changes, failures := make(<-chan fsnotify.Event), make(<-chan error)
	if w.notify != nil {
		defer w.notify.Close()
		every, changes, failures = seldom, w.notify.Events, w.notify.Errors
		w.follow()
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	quiet := time.NewTimer(0) // the files may have changed since Watch
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-changes:
			if isSource(filepath.Base(e.Name)) {
				quiet.Reset(Quiet)
			}
			continue
		case err := <-failures:
			// Events were lost, or there is no more room for them: what they told is
			// found by looking.
			if err != nil {
				quiet.Reset(Quiet)
			}
			continue
		case <-tick.C:
			w.follow()
			if now := look(w.dir); !maps.Equal(now, w.seen) {
				quiet.Reset(Quiet)
			}
			continue
		case <-quiet.C:
		}
		now := look(w.dir)
		if maps.Equal(now, w.seen) {
			continue
		}
		w.seen = now
		select {
		case saved <- struct{}{}:
		default: // one is waiting already
		}
	}
}

// follow has inotify report on the directory that has the name now; for one that
// it reports on already this changes nothing.
func (w *Watcher) follow() {
	if w.notify != nil {
		_ = w.notify.Add(w.dir) // it may not be there yet, or any more
	}
}

// look takes the prints of all source files below a directory.
func look(dir string) prints {
	all := prints{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it went while we looked
		}
		switch {
		case d.IsDir() && path != dir && (strings.HasPrefix(d.Name(), ".") || d.Name() == "vendor"):
			return fs.SkipDir
		case len(all) >= mostFiles:
			return fs.SkipAll
		case d.IsDir() || !isSource(d.Name()):
			return nil
		}
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			all[path] = fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Mode)
		}
		return nil
	})
	return all
}

// isSource reports whether a file is part of a program: editors keep copies beside
// it, such as .main.go.swp, main.go~ and #main.go#.
func isSource(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") {
		return false
	}
	switch filepath.Ext(name) {
	case ".go", ".mod", ".sum", ".s", ".c", ".h":
		return true
	}
	return false
}

// remotes are the file systems on which another machine writes, by the magic
// number of statfs(2).
var remotes = map[uint32]string{
	0x786f4256: "vboxsf, a shared folder of VirtualBox",
	0x01021997: "9p",
	0x65735546: "fuse",
	0x6a656a63: "virtiofs",
	0xbacbacbc: "vmhgfs, a shared folder of VMware",
	0x7c7c6673: "prl_fs, a shared folder of Parallels",
	0x6969:     "nfs",
	0x517b:     "smb",
	0xff534d42: "cifs",
	0xfe534d42: "smb2",
}

// remote names the file system of a directory if inotify is silent on it. For a
// directory that is not there its parent's counts.
func remote(dir string) string {
	var st unix.Statfs_t
	for unix.Statfs(dir, &st) != nil {
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
	if name, isRemote := remotes[uint32(st.Type)]; isRemote {
		return "the file system is " + name
	}
	return ""
}

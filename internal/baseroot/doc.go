// Package baseroot writes the built-in root file system: a directory that a container
// can have as its root, made from nothing but the lab binary.
//
//	err := baseroot.Write("/tmp/root", baseroot.Source{})
//
// The default source, box, is the lab binary itself under the names of the applets of
// internal/box, all hard links of one file. Other sources are busybox, the machine's
// static busybox, and dir:PATH, a copy of a directory; both also get probe and hog, the
// programs the checks need. The directories and the few files in /etc are the same for
// box and busybox.
//
// A program in an empty root must be static: without its loader execve(2) fails with a
// bare ENOENT. StaticBinary finds or builds a lab binary that is.
//
// The root owns all its files. It shares no inode with the cache or the machine, so a
// container that writes to /bin/sh changes its own copy and not the program that the
// machine runs next.
package baseroot

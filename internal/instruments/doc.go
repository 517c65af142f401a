// Package instruments holds what `lab ns`, `inspect`, `mounts`, `cgroup` and `layers`
// print against what the kernel and other tools say: lsns(8), findmnt(8),
// systemd-cgls(1) and /proc itself, on containers that run meanwhile. It has tests
// only. They run the program lab as a person would.
package instruments

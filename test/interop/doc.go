// Package interop holds minirun against the engines that people run: podman, buildah,
// containerd (by ctr) and docker, as Debian packages them. It has tests alone.
//
// Each engine works in the throw-away host of internal/sandbox, in directories and on
// sockets of its own, without a network and without a registry: its image is made of the
// built-in root. The names of the cases are the same for all engines, and a table says
// at the end which of them holds where:
//
//	make interop
//
// Beside minirun stands a control. LAB_INTEROP_RUNTIME=runc runs everything with runc,
// and what no runtime can do on a machine is tried with both: see table.same.
package interop

// Package layer turns a layer, a tar of changes, into a directory that overlayfs can use,
// and a directory of changes into a tar again.
//
//	dir, err := layer.OpenStore("/var/lib/mini/layers").Unpack(ctx, diffID, open)
//	err = layer.Write(w, "/var/lib/mini/containers/…/upper", layer.WriteOptions{})
//
// A layer's tar and overlayfs say in two languages what a layer deletes:
//
//	in the tar            in the directory
//	usr/bin/.wh.vi        usr/bin/vi, a character device 0:0           (a whiteout)
//	etc/.wh..wh..opq      etc with the attribute overlay.opaque = y    (an opaque directory)
//
// The attribute is trusted.overlay.opaque where the kernel lets us, else, in a user
// namespace, user.overlay.opaque: then the overlay has to be mounted with userxattr.
//
// A tar is hostile until proven otherwise. Each name is resolved by openat2(2) with
// RESOLVE_IN_ROOT, so that neither links nor .. lead out of the directory; files are made
// with O_EXCL and changed through their open descriptor; attributes that overlayfs would
// obey are not taken over; entries, names and bytes are bounded.
//
// See the OCI image specification, layer.md; tar(5); openat2(2); and
// Documentation/filesystems/overlayfs.rst of the kernel.
package layer

// Package image keeps images: manifests, configurations and layers by their digests, and
// the names that people gave them.
//
//	store, err := image.Open("/var/lib/mini")
//	release, err := store.Hold()        // nothing that is in use now goes meanwhile
//	defer release()
//	img, err := store.Resolve("debian:13")
//	lower, err := img.Lower(ctx)        // directories for overlay's lowerdir, top first
//
// On disk it is an image layout of the OCI image specification, which skopeo, umoci and
// others read and write, too, and beside it each layer as a directory (package layer):
//
//	ROOT/images/oci-layout
//	ROOT/images/index.json             the names, each with its manifest's digest
//	ROOT/images/blobs/sha256/HEX       manifests, configurations, packed layers
//	ROOT/layers/sha256/HEX/            unpacked layers, by the digest of their tar
//
// There is no daemon: any number of processes use a store at once. A blob is written
// under a temporary name, synced, and renamed, so under its digest it is whole. index.json
// is replaced in the same way by whoever holds the lock `images/.lock`. An image is there
// from the moment its name is in the index, and everything it needs was there before.
//
// Untag takes a name out of the index; the image stays there. Collect removes images and
// deletes what none of the others needs. Whoever adds or uses an image holds `images/.use`
// as one of many (Hold); Collect needs it for itself alone and otherwise leaves its work to
// the next one.
//
// See the OCI image specification, image-layout.md, and flock(2).
package image

// Package registry fetches images from registries and brings them there.
//
//	client := &registry.Client{Platform: platform, Progress: show}
//	pulled, err := client.Pull(ctx, "docker.io/library/debian:13", store)
//	err = client.Push(ctx, "localhost:5000/web:1", source)
//
// It speaks the distribution protocol by way of go-containerregistry and knows nothing of
// how images are kept: what it fetches goes to a Destination, which checks every digest,
// and what it brings comes from a Source. Layers travel several at a time, and those that
// are there already do not travel, so an interrupted pull or push goes on where it was.
//
// Plain http is spoken with this machine alone, unless Insecure is set: everybody else on
// the way could read the password and change the image's name for another.
//
// See the OCI distribution specification.
package registry

// Package build makes an image of a Dockerfile and a directory.
//
//	file, err := build.Parse(text)
//	b := build.Builder{Images: store, Runner: runner, …}
//	img, err := b.Build(ctx, file)
//
// It is done in two halves. The first is pure: stages become steps, in which all
// variables are replaced and all that a step does is said, so that a step has a key. What
// it depends on is the image so far, the step, and the content of the files that it
// copies. The second half goes through the steps: a layer whose key is known is taken from
// the cache; COPY, ADD and WORKDIR write a layer's tar without any privilege; for RUN
// somebody else runs a container, and what it has changed becomes the layer.
//
// The Dockerfile is read by BuildKit's own parser, so it is understood as elsewhere. What
// this package cannot do is refused by name and line, and not ignored.
package build

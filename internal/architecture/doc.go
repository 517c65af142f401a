// Package architecture holds what no linter can: that the arrows between the
// module's packages go down only, and that each step is the one before plus one
// topic. It has tests only. They read sources and need neither root nor the Go
// toolchain.
//
// Who may import whom:
//
//	steps/*     nothing of this module; their tests may import internal/
//	internal/*  internal/ and the texts that package steps carries
//	cmd/*       the same
//	final/*     final/ alone; their tests may import internal/; mini's command and its
//	            engine know box and baseroot, for the image base is the lab's own root
//
// How a step is measured against its parent: files that both have are carried.
// All carried files together may differ by a number of added and removed lines,
// where the package comment, which names the step, is not counted. The only files
// that are new are the ones of the topic.
package architecture

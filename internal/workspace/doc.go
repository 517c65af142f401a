// Package workspace keeps the learner's own programs: a directory that is one Go
// module with a program for each step, which builds without a network.
//
//	workspace/go.mod          module workspace
//	workspace/vendor/         the libraries that the steps need
//	workspace/01-uts/         package main, and START.md: what is to be done
//	workspace/02-pid/         begins as the learner's 01-uts
//	workspace/.backup/        what lab reset has put away
//
// A step begins as the program of the step before it. The files of the new topic
// come from the reference program, but what the topic is about is taken out of
// them: directory stubs has, for each of these files, the functions that the
// learner writes, with the reference's signatures, a comment that says what they
// must achieve, and a body that only says that it is not written yet. All other
// functions of such a file, and files without a stub, are given whole.
//
// The container type of main.go gets the fields that the new files use; every
// other change of a carried file is the learner's and stands in START.md.
//
// It all works from an installed lab: sources, stubs and libraries are embedded.
// Under sudo(8) everything belongs to the one who called.
package workspace

//go:generate go run ./pack

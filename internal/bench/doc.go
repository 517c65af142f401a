// Package bench holds the figures that make bench prints: always two things
// measured in turns in one run, and their difference or ratio, for a time alone
// says more about the machine than about the program. No test asserts a time.
package bench

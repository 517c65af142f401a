package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// words is a command with flags in docs/docker.md.
//
//	`docker run --memory --memory-swap`
var words = regexp.MustCompile("`(?:docker|mini) ([a-z -]+)`")

// Whoever comes from docker finds each verb in docs/docker.md, and what is there is there.
func TestDocumentHasAllVerbs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/docker.md")
	require.NoError(t, err)
	root, told := newRoot(), map[string]bool{}
	for _, found := range words.FindAllStringSubmatch(string(text), -1) {
		verb, flags, _ := strings.Cut(found[1], " --")
		cmd, rest, err := root.Find(strings.Fields(verb))
		require.NoError(t, err, found[0])
		require.Empty(t, rest, found[0])
		told[cmd.Name()] = true
		for flag := range strings.SplitSeq(flags, " --") {
			assert.True(t, flag == "" || cmd.Flags().Lookup(flag) != nil, found[0])
		}
	}
	for _, cmd := range verbsBelow(root) {
		assert.True(t, told[cmd.Name()] || cmd.Name() == "version", cmd.CommandPath())
	}
}

// verbsBelow are the verbs that do something themselves.
func verbsBelow(family *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, cmd := range family.Commands() {
		switch {
		case cmd.Hidden:
		case cmd.HasSubCommands():
			all = append(all, verbsBelow(cmd)...)
		default:
			all = append(all, cmd)
		}
	}
	return all
}

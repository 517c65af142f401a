package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

//go:generate env LANG=C.UTF-8 go run . reference ../../docs/cli

// newReference makes the hidden command that writes docs/cli: a page for each
// command, in the manner of a manual, and a list of all.
func newReference() *cobra.Command {
	return &cobra.Command{
		Use:    "reference DIR",
		Short:  "Write the pages of docs/cli",
		Hidden: true,
		Args:   arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeReference(cmd.Root(), args[0])
		},
	}
}

// writeReference writes all pages, and removes those of commands that are gone.
func writeReference(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the pages: %w", err)
	}
	pages := map[string]string{"README.md": contents(root)}
	for _, c := range documented(root) {
		pages[pageName(c)] = page(root, c)
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if pages[filepath.Base(path)] == "" {
			err = errors.Join(err, os.Remove(path))
		}
	}
	for name, text := range pages {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return err
}

// documented returns the commands that people are told of, also those below
// others, in the order of their names.
func documented(parent *cobra.Command) []*cobra.Command {
	var found []*cobra.Command
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		found = append(found, c)
		if c.Name() != "completion" { // its commands are the names of shells
			found = append(found, documented(c)...)
		}
	}
	return found
}

// pageName is the name of a command's page.
func pageName(c *cobra.Command) string {
	return strings.ReplaceAll(c.CommandPath(), " ", "-") + ".md"
}

// madeBy heads each page.
const madeBy = "<!-- Written by go generate ./cmd/lab from the commands themselves. -->\n"

// forAll is what every page would repeat. A ' stands for Markdown's sign of code.
const forAll = `
## What holds for all

A process is given by its number, or as 'last': the newest container of 'lab run',
'lab check' or 'lab tour'. Output is coloured on a terminal unless NO_COLOR is set, and
as wide as the terminal, else 80 columns. Signs beyond ASCII are printed where the
locale is UTF-8. [What '--json' prints](../json.md) is documented.

Exit status: 0; that of the command that was run; 125 to 127 where it could not be
run; 2 for wrong usage; 1 for everything else. An error is one line on the standard
error, and often a line 'hint:' says what would help.
`

// contents lists all commands by group.
func contents(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# The commands of `lab`\n", madeBy)
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| command | what it does |\n| --- | --- |\n",
			strings.TrimSuffix(group.Title, ":"))
		for _, c := range documented(root) {
			if c.GroupID == group.ID {
				fmt.Fprintf(&b, "| [`%s`](%s) | %s |\n", c.CommandPath(), pageName(c), c.Short)
			}
		}
	}
	b.WriteString(strings.ReplaceAll(forAll, "'", "`"))
	return b.String()
}

// page writes the page of one command.
func page(root, c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# %s\n\n%s.\n", madeBy, c.CommandPath(), c.Short)
	fmt.Fprintf(&b, "\n## Synopsis\n\n```\n%s\n```\n", c.UseLine())
	if c.Long != "" {
		fmt.Fprintf(&b, "\n## Description\n\n%s\n", paragraphs(c.Long))
	}
	if flags := c.NonInheritedFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(&b, "\n## Options\n\n```\n%s```\n", flags)
	}
	if c.Example != "" {
		example := strings.TrimRight(unindent(c.Example), "\n")
		fmt.Fprintf(&b, "\n## Examples\n\n```\n%s\n```\n", example)
	}
	var also []string
	for _, other := range documented(root) {
		if other.GroupID == c.GroupID && other != c {
			also = append(also, fmt.Sprintf("[%s](%s)", other.CommandPath(), pageName(other)))
		}
	}
	if len(also) > 0 {
		fmt.Fprintf(&b, "\n## See also\n\n%s\n", strings.Join(also, ",\n"))
	}
	return b.String()
}

// paragraphs leaves indented lines as they are: Markdown shows four spaces as code.
func paragraphs(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		if strings.HasPrefix(line, "  ") {
			line = "  " + line
		}
		b.WriteString(line)
	}
	return b.String()
}

// unindent takes two spaces from the beginning of each line.
func unindent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, "  "))
	}
	return b.String()
}

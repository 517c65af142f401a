package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A table is as wide as it likes, but on a terminal: there columns go, and then letters.
func TestTableFits(t *testing.T) {
	const whole = "NAME      COMMAND         ID\n" +
		"web       sleep a while   1\n" +
		"café      true            12345678901234\n"
	for _, tt := range []struct {
		name  string
		width int
		want  string
	}{
		{"no terminal", 0, whole},
		{"a wide one", 40, whole},
		{"less space", 35, "NAME  COMMAND        ID\n" +
			"web   sleep a while  1\n" +
			"café  true           12345678901234\n"},
		{"a column less", 34, "NAME  ID\nweb   1\ncafé  12345678901234\n"},
		{"cut", 17, "NAME  ID\nweb   1\ncafé  1234567890…\n"},
		{"no further", 3, "NAME  ID\nweb   1\ncafé  1234567…\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows := table{
				{"NAME", "COMMAND", "ID"},
				{"web", "sleep a while", "1"},
				{"café", "true", "12345678901234"},
			}
			got := rows.text(tt.width, []string{"NONE", "COMMAND"})
			assert.Equal(t, strings.Split(tt.want, "\n"), strings.Split(got, "\n"))
		})
	}
}

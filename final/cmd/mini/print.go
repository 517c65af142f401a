package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// functions are what a template may call beside what every template may.
func functions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			text, err := json.Marshal(v)
			return string(text), err
		},
		"join":  strings.Join,
		"lower": strings.ToLower,
		"upper": strings.ToUpper,
		"split": strings.Split,
	}
}

// parseTemplate reads a template of --format.
func parseTemplate(text string) (*template.Template, error) {
	t, err := template.New("--format").Funcs(functions()).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return t, nil
}

// printRows prints a table, a JSON object a line, or what a template makes of each row. The
// columns to spare are those that a narrow terminal does without, the first one first.
func printRows[R any](w io.Writer, format string, rows []R, head string, cells func(R) string,
	spare ...string,
) error {
	switch format {
	case "table", "":
		t := table{strings.Split(head, "\t")}
		for _, r := range rows {
			t = append(t, strings.Split(cells(r), "\t"))
		}
		_, err := io.WriteString(w, t.text(terminalWidth(w), spare))
		return err
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		for _, r := range rows {
			if err := encoder.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	t, err := parseTemplate(strings.TrimPrefix(format, "table "))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := t.Execute(w, r); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		fmt.Fprintln(w)
	}
	return nil
}

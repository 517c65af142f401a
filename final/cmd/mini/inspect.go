package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

// newInspect makes `mini inspect`.
func newInspect(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "inspect [FLAGS] CONTAINER|IMAGE…",
		Short:   "Show all that is known of a container or image",
		GroupID: groupLook,
		Args:    arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine()
			if err != nil {
				return err
			}
			found := []any{}
			var all error
			for _, word := range args {
				c, err := e.Find(word)
				if err == nil {
					found = append(found, c)
				} else if _, img, imgErr := a.image("inspect", word); imgErr == nil {
					found = append(found, detailsOf(img))
				} else {
					all = errors.Join(all, about("inspect", word, err))
				}
			}
			return errors.Join(printDetails(cmd, format, found), all)
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "a template: '{{.State.Status}}'")
	return cmd
}

// printDetails prints things whole, or what a template makes of each.
func printDetails[T any](cmd *cobra.Command, format string, things []T) error {
	w := cmd.OutOrStdout()
	if format == "" || format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "    ")
		return encoder.Encode(things)
	}
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	for _, thing := range things {
		text, err := fill(t, thing)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, text)
	}
	return nil
}

// fill executes a template on a thing, by the names that Go has for its parts or else by
// those that are printed: .Id.
func fill(t *template.Template, thing any) (string, error) {
	var out strings.Builder
	first := t.Execute(&out, thing)
	if first == nil {
		return out.String(), nil
	}
	text, err := json.Marshal(thing)
	if err != nil {
		return "", err
	}
	var names map[string]any
	if err := json.Unmarshal(text, &names); err != nil {
		return "", err
	}
	out.Reset()
	if t.Option("missingkey=error").Execute(&out, names) != nil {
		return "", fmt.Errorf("%w: %w", errUsage, first)
	}
	return out.String(), nil
}

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lab/final/internal/hint"
)

// newFamily makes a verb that is nothing but the beginning of others, such as network in
// `mini network ls`.
func newFamily(name, short string, members ...*cobra.Command) *cobra.Command {
	family := &cobra.Command{
		Use: name, Short: short, GroupID: groupHost,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return hint.Add(
				fmt.Errorf("%w: %s has no verb %q", errUsage, cmd.CommandPath(), args[0]),
				cmd.CommandPath()+" --help",
			)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, m := range members {
		m.DisableFlagsInUseLine = true
		family.AddCommand(m)
	}
	return family
}

// eachArgument does something with each argument, prints those with which it went well,
// and goes on after one with which it did not.
func eachArgument(cmd *cobra.Command, args []string, do func(arg string) error) error {
	var errs []error
	for _, arg := range args {
		if err := do(arg); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintln(cmd.OutOrStdout(), arg)
	}
	return errors.Join(errs...)
}

// printJSON prints something as JSON that a person can read.
func printJSON(cmd *cobra.Command, v any) error {
	text, err := json.MarshalIndent(v, "", "    ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
	return err
}

// printTable prints rows in columns, the first row being their heads.
func printTable(cmd *cobra.Command, rows [][]string) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// agreed asks whether to go on with what cannot be undone, if there is a person to ask.
func agreed(cmd *cobra.Command, force bool, warning string) (bool, error) {
	if force || !term.IsTerminal(int(os.Stdin.Fd())) {
		return true, nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s Go on? [y/N] ", warning)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	yes := []string{"y", "yes"}
	return slices.Contains(yes, strings.ToLower(strings.TrimSpace(answer))), nil
}

// labels reads several --label KEY=VALUE.
func labels(texts []string) (map[string]string, error) {
	read := map[string]string{}
	for _, text := range texts {
		key, value, _ := strings.Cut(text, "=")
		if key == "" {
			return nil, fmt.Errorf("%w: label %q: expected KEY=VALUE", errUsage, text)
		}
		read[key] = value
	}
	return read, nil
}

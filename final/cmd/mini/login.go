package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lab/final/internal/hint"
	"lab/final/internal/registry"
)

// loginFlags are the flags of login.
type loginFlags struct {
	user, password string
	fromInput      bool
	insecure       bool
}

// newLogin makes `mini login`.
func newLogin() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:     "login [FLAGS] REGISTRY",
		Short:   "Tell a registry who you are, now and from now on",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.login(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.user, "username", "u", "", "your name there")
	flags.StringVarP(&f.password, "password", "p", "",
		"your password; others on this machine can see it")
	flags.BoolVar(&f.fromInput, "password-stdin", false, "read the password from standard input")
	flags.BoolVar(&f.insecure, "insecure", false, "also plain http, and certificates of anybody")
	return cmd
}

// login asks for what is missing, tries it, and remembers it.
func (f *loginFlags) login(cmd *cobra.Command, host string) error {
	if err := f.ask(cmd); err != nil {
		return fmt.Errorf("log in to %s: %w", host, err)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	client := &registry.Client{Insecure: f.insecure}
	if err := client.Login(ctx, host, f.user, f.password); err != nil {
		return err
	}
	credentials := registry.DefaultCredentials()
	if err := credentials.Set(host, f.user, f.password); err != nil {
		return fmt.Errorf("log in to %s: %w", host, err)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "Logged in. The password is in %s, which only you "+
		"can read.\n", credentials.Path)
	return err
}

// ask gets name and password from where they are to come from.
func (f *loginFlags) ask(cmd *cobra.Command) (err error) {
	input := bufio.NewReader(cmd.InOrStdin())
	atTerminal := term.IsTerminal(int(os.Stdin.Fd()))
	if f.user == "" && (f.fromInput || !atTerminal) {
		return hint.Add(fmt.Errorf("%w: no name was given", errUsage), "-u NAME --password-stdin")
	}
	if f.user == "" {
		fmt.Fprint(cmd.ErrOrStderr(), "Username: ")
		if f.user, err = line(input); err != nil {
			return err
		}
	}
	switch {
	case f.password != "":
		return nil
	case f.fromInput || !atTerminal:
		f.password, err = line(input)
	default:
		fmt.Fprint(cmd.ErrOrStderr(), "Password: ")
		var typed []byte
		typed, err = term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		f.password = string(typed)
	}
	if err == nil && f.password == "" {
		err = fmt.Errorf("%w: no password was given", errUsage)
	}
	return err
}

// line reads a line, whether or not it is ended.
func line(r *bufio.Reader) (string, error) {
	text, err := r.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimRight(text, "\r\n"), err
}

// newLogout makes `mini logout`.
func newLogout() *cobra.Command {
	return &cobra.Command{
		Use:     "logout REGISTRY",
		Short:   "Forget the password for a registry",
		GroupID: groupImages,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := registry.DefaultCredentials().Forget(args[0]); err != nil {
				return fmt.Errorf("log out of %s: %w", args[0], err)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "The password for %s is forgotten.\n", args[0])
			return err
		},
	}
}

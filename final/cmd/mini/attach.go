package main

import (
	"github.com/spf13/cobra"
)

// newAttach makes `mini attach`.
func newAttach(a *app) *cobra.Command {
	var noInput, proxy bool
	var keys string
	cmd := &cobra.Command{
		Use:     "attach [FLAGS] CONTAINER",
		Short:   "Sit before a running container",
		GroupID: groupContainers,
		Args:    arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			sequence, err := parseKeys(keys)
			if err != nil {
				return err
			}
			e, c, err := a.one("attach", args[0])
			if err != nil {
				return err
			}
			conn, err := e.Attach(c)
			if err != nil {
				return about("attach", args[0], err)
			}
			s := session{
				conn: conn, terminal: c.Config.Tty, input: c.Config.OpenStdin && !noInput,
				keys: sequence,
			}
			if proxy {
				s.signals = catchSignals()
			}
			status, err := s.follow()
			if err == nil && status != 0 {
				return exited(status)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&noInput, "no-stdin", false, "pass on nothing that is typed")
	flags.BoolVar(&proxy, "sig-proxy", true, "pass on signals")
	flags.StringVar(&keys, "detach-keys", defaultKeys, "keys that leave its terminal")
	return cmd
}

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"lab/final/internal/network"
	"lab/final/internal/rootless"

	"github.com/spf13/cobra"
)

// newNetwork makes `mini network`.
func newNetwork(a *app) *cobra.Command {
	verbs := []*cobra.Command{
		newNetworkCreate(a), newNetworkList(a), newNetworkInspect(a), newNetworkRemove(a),
		newNetworkPrune(a), newNetworkConnect(a), newNetworkDisconnect(a),
	}
	for _, verb := range verbs {
		run := verb.RunE
		verb.RunE = func(cmd *cobra.Command, args []string) error {
			place, err := rootless.OpenNetwork(a.state)
			if err != nil {
				return err
			}
			err = place.Do(func() error { return run(cmd, args) })
			return errors.Join(err, place.Close())
		}
	}
	return newFamily("network", "Networks that containers share", verbs...)
}

// networks opens the store of networks.
func (a *app) networks() (*network.Store, error) {
	return network.Open(filepath.Join(a.root, "networks"))
}

// newNetworkCreate makes `mini network create`.
func newNetworkCreate(a *app) *cobra.Command {
	var subnet, gateway string
	var texts []string
	o := network.Options{}
	cmd := &cobra.Command{
		Use:   "create [--subnet CIDR] [--gateway IP] [--internal] [--label KEY=VALUE] NAME",
		Short: "Make a network; its bridge comes with the first container",
		Args:  arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Name = args[0]
			if o.Labels, err = labels(texts); err != nil {
				return err
			}
			if o.Subnet, err = optional(subnet, netip.ParsePrefix); err != nil {
				return fmt.Errorf("%w: --subnet %q: expected such as 10.9.0.0/24", errUsage, subnet)
			}
			if o.Gateway, err = optional(gateway, netip.ParseAddr); err != nil {
				return fmt.Errorf("%w: --gateway %q: expected such as 10.9.0.1", errUsage, gateway)
			}
			s, err := a.networks()
			if err != nil {
				return err
			}
			if _, err := s.Create(o); err != nil {
				return err
			}
			return eachArgument(cmd, args, func(string) error { return nil })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&subnet, "subnet", "", "its addresses, `CIDR`; some that are free if none")
	flags.StringVar(&gateway, "gateway", "", "the bridge's own `IP`; the subnet's first if none")
	flags.BoolVar(&o.Internal, "internal", false, "without a way out of this host")
	flags.StringArrayVar(&texts, "label", nil, "something to remember, `KEY=VALUE`")
	return cmd
}

// optional reads a flag that may not be there.
func optional[T any](text string, read func(string) (T, error)) (value T, err error) {
	if text == "" {
		return value, nil
	}
	return read(text)
}

// newNetworkList makes `mini network ls`.
func newNetworkList(a *app) *cobra.Command {
	var quiet, asJSON bool
	cmd := &cobra.Command{
		Use: "ls [-q] [--json]", Short: "List networks", Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.networks()
			if err != nil {
				return err
			}
			if _, err := s.Inspect(network.Default); err != nil { // it is always there
				return err
			}
			all, err := s.List()
			if err != nil || asJSON {
				return firstOf(err, func() error { return printJSON(cmd, all) })
			}
			rows, err := networkRows(s, all)
			if err != nil {
				return err
			}
			if quiet {
				for i := range rows {
					rows[i] = rows[i][:1]
				}
				rows = rows[1:]
			}
			return printTable(cmd, rows)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "names alone")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// networkRows is what `mini network ls` shows, with the two that are none of ours.
func networkRows(s *network.Store, all []network.Network) ([][]string, error) {
	leases, err := s.Leases()
	if err != nil {
		return nil, err
	}
	running := map[string]int{}
	for _, l := range leases {
		for _, e := range l.Endpoints {
			running[e.Network]++
		}
	}
	rows := [][]string{{"NAME", "DRIVER", "SUBNET", "SCOPE", "RUNNING"}}
	for _, n := range all {
		scope := "routed"
		if n.Internal {
			scope = "internal"
		}
		rows = append(rows, []string{
			n.Name, "bridge", n.Subnet.String(), scope, fmt.Sprint(running[n.Name]),
		})
	}
	rows = append(rows, []string{"host", "host", "", "", ""}, []string{"none", "null", "", "", ""})
	return rows, nil
}

// newNetworkInspect makes `mini network inspect`.
func newNetworkInspect(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "inspect NAME...", Short: "All that is known of networks",
		Args: arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.networks()
			if err != nil {
				return err
			}
			all := []shownNetwork{}
			for _, name := range args {
				n, err := inspectNetwork(s, name)
				if err != nil {
					return err
				}
				all = append(all, n)
			}
			return printJSON(cmd, all)
		},
	}
}

// shownNetwork is a network as `mini network inspect` shows it.
type shownNetwork struct {
	network.Network
	Bridge     string           `json:"bridge,omitempty"` // while it is in use
	Containers []shownContainer `json:"containers"`       // those that run
}

// shownContainer is one of a network's containers.
type shownContainer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	network.Endpoint
	Ports []string `json:"ports,omitempty"`
}

// inspectNetwork gathers what is known of a network.
func inspectNetwork(s *network.Store, name string) (shownNetwork, error) {
	n, err := s.Inspect(name)
	if err != nil {
		return shownNetwork{}, err
	}
	bridge, err := s.Bridge(name)
	if err != nil {
		return shownNetwork{}, err
	}
	leases, err := s.Leases()
	shown := shownNetwork{Network: n, Bridge: bridge, Containers: []shownContainer{}}
	for _, l := range leases {
		for _, e := range l.Endpoints {
			if e.Network != name {
				continue
			}
			c := shownContainer{ID: l.ID, Name: l.Name, Endpoint: e}
			for _, p := range l.Ports {
				c.Ports = append(c.Ports, p.String())
			}
			shown.Containers = append(shown.Containers, c)
		}
	}
	return shown, err
}

// newNetworkRemove makes `mini network rm`.
func newNetworkRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME...", Short: "Remove networks that no container is on",
		Args: arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.networks()
			if err != nil {
				return err
			}
			return eachArgument(cmd, args, s.Remove)
		},
	}
}

// newNetworkPrune makes `mini network prune`.
func newNetworkPrune(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "prune [-f]", Short: "Remove all networks that no running container is on",
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.networks()
			if err != nil {
				return err
			}
			warning := "This removes all networks that no running container is on."
			if ok, err := agreed(cmd, force, warning); err != nil || !ok {
				return err
			}
			gone, err := s.Prune()
			return firstOf(err, func() error {
				return eachArgument(cmd, gone, func(string) error { return nil })
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return cmd
}

// newNetworkConnect makes `mini network connect`.
func newNetworkConnect(a *app) *cobra.Command {
	var ip string
	j := network.Join{}
	cmd := &cobra.Command{
		Use:   "connect [--ip IP] [--alias NAME] NETWORK CONTAINER",
		Short: "Put a container on one more network", Args: arguments(2, 2),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if j.IP, err = optional(ip, netip.ParseAddr); err != nil {
				return fmt.Errorf("%w: --ip %q: not an address", errUsage, ip)
			}
			j.Network = args[0]
			e, c, err := a.one("network connect", args[1])
			if err != nil {
				return err
			}
			return e.Join(c, j)
		},
	}
	cmd.Flags().StringVar(&ip, "ip", "", "the container's `IP` there; a free one if none")
	cmd.Flags().StringArrayVar(&j.Aliases, "alias", nil, "one more `NAME` for it there")
	return cmd
}

// newNetworkDisconnect makes `mini network disconnect`.
func newNetworkDisconnect(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "disconnect NETWORK CONTAINER", Short: "Take a container off a network",
		Args: arguments(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			e, c, err := a.one("network disconnect", args[1])
			if err != nil {
				return err
			}
			return e.Leave(c, args[0])
		},
	}
}

package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/pflag"

	"lab/final/internal/engine"
	"lab/final/internal/network"
	"lab/final/internal/volume"
)

// hostFlags are the flags of what a container has of this host: networks and volumes.
type hostFlags struct {
	volumes, mounts, ports, exposed, hosts, dns []string
	ip                                          string
}

// add adds them.
func (h *hostFlags) add(flags *pflag.FlagSet, r *engine.Request) {
	flags.StringArrayVarP(&h.volumes, "volume", "v", nil,
		"a volume or a directory of the host: SOURCE:DIR[:ro,idmap]")
	flags.StringArrayVar(&h.mounts, "mount", nil, "the same in words: type=bind,src=…,dst=…")
	flags.StringArrayVarP(&h.ports, "publish", "p", nil, "a port of the host: [HOST:]PORT[/udp]")
	flags.BoolVarP(&r.HostConfig.PublishAll, "publish-all", "P", false,
		"each port that it or its image exposes at a free one of the host")
	flags.StringArrayVar(&h.exposed, "expose", nil, "a port that it listens on: PORT[/udp]")
	flags.StringVar(&r.HostConfig.NetworkMode, "network", network.Default,
		"its network: bridge, none, host, container:NAME or a network's name")
	flags.StringVar(&h.ip, "ip", "", "its address there")
	flags.StringArrayVar(&h.hosts, "add-host", nil, "a line of its /etc/hosts: NAME:IP")
	flags.StringArrayVar(&h.dns, "dns", nil, "a name server in place of the host's")
}

// read reads what was written.
func (h *hostFlags) read(r *engine.Request) error {
	for _, list := range []struct {
		texts []string
		parse func(string) (volume.Mount, error)
	}{{h.volumes, volume.Parse}, {h.mounts, volume.ParseMount}} {
		for _, text := range list.texts {
			m, err := list.parse(text)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			r.Mounts = append(r.Mounts, m)
		}
	}
	for _, text := range h.ports {
		ports, err := network.ParsePorts(text)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		r.HostConfig.Ports = append(r.HostConfig.Ports, ports...)
	}
	for _, text := range h.exposed {
		ports, err := network.ParsePorts(text)
		if err != nil || strings.Contains(text, ":") {
			return fmt.Errorf("%w: --expose %q is not PORT[/udp]", errUsage, text)
		}
		if r.Config.ExposedPorts == nil {
			r.Config.ExposedPorts = map[string]struct{}{}
		}
		for _, p := range ports {
			r.Config.ExposedPorts[fmt.Sprintf("%d/%s", p.Container, p.Proto)] = struct{}{}
		}
	}
	for _, text := range h.hosts {
		entry, err := network.ParseHost(text)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		r.HostConfig.ExtraHosts = append(r.HostConfig.ExtraHosts, entry)
	}
	return h.readAddresses(&r.HostConfig)
}

// readAddresses reads those flags that are addresses.
func (h *hostFlags) readAddresses(to *engine.HostConfig) error {
	for _, text := range h.dns {
		server, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("%w: --dns %q is no address", errUsage, text)
		}
		to.DNS.Servers = append(to.DNS.Servers, server)
	}
	if h.ip == "" {
		return nil
	}
	var err error
	if to.IPAddress, err = netip.ParseAddr(h.ip); err != nil {
		return fmt.Errorf("%w: --ip %q is no address", errUsage, h.ip)
	}
	return nil
}

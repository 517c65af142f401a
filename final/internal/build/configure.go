package build

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lab/final/internal/image"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"golang.org/x/sys/unix"
)

// configure performs an instruction that changes the configuration alone.
func (c *compiler) configure(command instructions.Command) error {
	config := &c.config.Config
	switch command := command.(type) {
	case *instructions.EnvCommand:
		for _, pair := range command.Env {
			config.Env = variables(config.Env).set(pair.Key, pair.Value)
		}
	case *instructions.LabelCommand:
		for _, pair := range command.Labels {
			if config.Labels == nil {
				config.Labels = map[string]string{}
			}
			config.Labels[pair.Key] = pair.Value
		}
	case *instructions.CmdCommand:
		config.Cmd, c.hasCmd = c.commandLine(command.ShellDependantCmdLine), true
	case *instructions.EntrypointCommand:
		config.Entrypoint = c.commandLine(command.ShellDependantCmdLine)
		if !c.hasCmd {
			config.Cmd = nil // it was meant for the entry point of the base image
		}
	case *instructions.UserCommand:
		config.User = command.User
	case *instructions.VolumeCommand:
		c.volumes(command.Volumes)
	case *instructions.ExposeCommand:
		return c.expose(command.Ports)
	case *instructions.ShellCommand:
		config.Shell, c.shell = command.Shell, command.Shell
	case *instructions.StopSignalCommand:
		if err := checkSignal(command.Signal); err != nil {
			return err
		}
		config.StopSignal = command.Signal
	case *instructions.HealthCheckCommand:
		h := command.Health
		config.Healthcheck = &image.Healthcheck{
			Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, Retries: h.Retries,
			StartPeriod: h.StartPeriod, StartInterval: h.StartInterval,
		}
	case *instructions.OnbuildCommand:
		config.OnBuild = append(config.OnBuild, command.Expression)
	case *instructions.MaintainerCommand:
		c.config.Author = command.Maintainer
	default:
		return fmt.Errorf("%s is not supported", strings.ToUpper(command.Name()))
	}
	return nil
}

// volumes notes the places of volumes.
func (c *compiler) volumes(places []string) {
	if c.config.Config.Volumes == nil {
		c.config.Config.Volumes = map[string]struct{}{}
	}
	for _, v := range places {
		c.config.Config.Volumes[c.absolute(v)] = struct{}{}
	}
}

// commandLine is CMD or ENTRYPOINT in exec form; the shell form becomes one.
func (c *compiler) commandLine(line instructions.ShellDependantCmdLine) []string {
	if !line.PrependShell {
		return line.CmdLine
	}
	return append(slices.Clone(c.shell), line.CmdLine...)
}

// expose notes ports; a range stands for all of its ports.
//
//	EXPOSE 80 53/udp 8000-8002
func (c *compiler) expose(words []string) error {
	v := c.visible()
	for _, word := range words {
		text, err := c.file.expand(word, v)
		if err != nil {
			return err
		}
		ports, proto, found := strings.Cut(text, "/")
		if !found {
			proto = "tcp"
		}
		from, to, isRange := strings.Cut(ports, "-")
		if !isRange {
			to = from
		}
		low, lowErr := strconv.ParseUint(from, 10, 16)
		high, highErr := strconv.ParseUint(to, 10, 16)
		known := slices.Contains([]string{"tcp", "udp", "sctp"}, proto)
		if lowErr != nil || highErr != nil || low == 0 || high < low || !known {
			return fmt.Errorf("EXPOSE %s: expected PORT[-PORT][/tcp|udp]", text)
		}
		for port := low; port <= high; port++ {
			if c.config.Config.ExposedPorts == nil {
				c.config.Config.ExposedPorts = map[string]struct{}{}
			}
			c.config.Config.ExposedPorts[fmt.Sprintf("%d/%s", port, proto)] = struct{}{}
		}
	}
	return nil
}

// checkSignal refuses what is neither a signal's name nor its number.
func checkSignal(text string) error {
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= 64 {
		return nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if unix.SignalNum(name) == 0 {
		return fmt.Errorf("STOPSIGNAL %s: there is no such signal", text)
	}
	return nil
}

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/monitor"
)

// psFlags are the flags of `mini ps`.
type psFlags struct {
	all, quiet, whole, latest bool
	last                      int
	format                    string
	filters                   []string
}

// newPs makes `mini ps`.
func newPs(a *app) *cobra.Command {
	var f psFlags
	cmd := &cobra.Command{
		Use:     "ps [FLAGS]",
		Aliases: []string{"ls", "list"},
		Short:   "List containers",
		GroupID: groupLook,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine()
			if err == nil {
				err = f.print(cmd, e)
			}
			if err != nil {
				return fmt.Errorf("ps: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.all, "all", "a", false, "also those that do not run")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "only the IDs")
	flags.BoolVar(&f.whole, "no-trunc", false, "cut nothing short")
	flags.BoolVarP(&f.latest, "latest", "l", false, "only the youngest, whether it runs or not")
	flags.IntVarP(&f.last, "last", "n", -1, "only so many, whether they run or not")
	flags.StringVar(&f.format, "format", "table", "table, json, or a template: '{{.Names}}'")
	flags.StringArrayVarP(&f.filters, "filter", "f", nil,
		"only those: id= name= status= label= ancestor= exited= health=")
	return cmd
}

// row is a container as it is listed, in docker's words.
type row struct {
	ID, Image, Command, CreatedAt, RunningFor, Status, State, Ports, Names, Labels string
	Networks, Mounts                                                               string
}

// print lists them.
func (f *psFlags) print(cmd *cobra.Command, e *engine.Engine) error {
	matches, err := parseFilters(f.filters)
	if err != nil {
		return err
	}
	all, err := e.List()
	if err != nil {
		return err
	}
	if f.latest {
		f.last = 1
	}
	everything := f.all || f.last > 0 || matches.wantsEnded
	rows := []row{}
	for _, c := range all {
		if !matches.match(c) || !everything && !c.State.Running && !c.State.Restarting {
			continue
		}
		if f.last > 0 && len(rows) == f.last {
			break
		}
		r := f.row(c, time.Now())
		if c.State.Running && len(c.HostConfig.Ports) > 0 {
			if r.Ports, err = ports(e, c); err != nil {
				return err
			}
		}
		rows = append(rows, r)
	}
	if f.quiet {
		f.format = "{{.ID}}"
	}
	return printRows(cmd.OutOrStdout(), f.format, rows, "CONTAINER ID\tIMAGE\tCOMMAND\tCREATED\t"+
		"STATUS\tPORTS\tNAMES", func(r row) string {
		return strings.Join([]string{
			r.ID, r.Image, r.Command, r.RunningFor, r.Status, r.Ports, r.Names,
		}, "\t")
	}, "CREATED", "COMMAND")
}

// row describes a container.
func (f *psFlags) row(c *engine.Container, now time.Time) row {
	command := strings.Join(append([]string{c.Path}, c.Args...), " ")
	id := c.ID
	if !f.whole {
		id, command = id[:12], ellipsis(command, 20)
	}
	var labels []string
	for key, value := range c.Config.Labels {
		labels = append(labels, key+"="+value)
	}
	slices.Sort(labels)
	return row{
		ID: id, Image: c.Config.Image, Command: strconv.Quote(command), Names: c.Name,
		CreatedAt:  c.Created.Local().Format("2006-01-02 15:04:05 -0700 MST"),
		RunningFor: ago(now.Sub(c.Created)) + " ago", Status: statusWords(c.State, now),
		State: c.State.Status, Labels: strings.Join(labels, ","),
		Networks: c.HostConfig.NetworkMode,
	}
}

// ports are those that a running container publishes.
func ports(e *engine.Engine, c *engine.Container) (string, error) {
	_, published, err := e.Addresses(c)
	var words []string
	for _, p := range published {
		words = append(words, p.String())
	}
	return strings.Join(words, ", "), err
}

// ellipsis cuts a text short.
func ellipsis(text string, most int) string {
	letters := []rune(text)
	if len(letters) <= most {
		return text
	}
	return string(letters[:most-1]) + "…"
}

// statusWords tells how a container is doing.
func statusWords(s monitor.State, now time.Time) string {
	oom := ""
	if s.OOMKilled {
		oom = ", out of memory"
	}
	switch s.Status {
	case monitor.Running:
		return "Up " + ago(now.Sub(s.StartedAt)) + healthWords(s.Health)
	case monitor.Paused:
		return "Up " + ago(now.Sub(s.StartedAt)) + " (Paused)"
	case monitor.Restarting:
		return fmt.Sprintf("Restarting (%d%s) %s ago", s.ExitCode, oom, ago(now.Sub(s.FinishedAt)))
	case monitor.Created:
		return "Created"
	}
	if s.FinishedAt.IsZero() {
		return fmt.Sprintf("Exited (%d)", s.ExitCode)
	}
	return fmt.Sprintf("Exited (%d%s) %s ago", s.ExitCode, oom, ago(now.Sub(s.FinishedAt)))
}

// healthWords tells whether a container that is checked works.
func healthWords(h *monitor.Health) string {
	switch {
	case h == nil:
		return ""
	case h.Status == monitor.Starting:
		return " (health: starting)"
	}
	return " (" + h.Status + ")"
}

// ago puts a length of time into words, as docker does.
func ago(d time.Duration) string {
	hours := int(d.Hours() + 0.5)
	switch {
	case d < time.Second:
		return "Less than a second"
	case d < 2*time.Second:
		return "1 second"
	case d < time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Minute:
		return "About a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case hours == 1:
		return "About an hour"
	case hours < 48:
		return fmt.Sprintf("%d hours", hours)
	case hours < 24*7*2:
		return fmt.Sprintf("%d days", hours/24)
	case hours < 24*30*2:
		return fmt.Sprintf("%d weeks", hours/24/7)
	case hours < 24*365*2:
		return fmt.Sprintf("%d months", hours/24/30)
	}
	return fmt.Sprintf("%d years", hours/24/365)
}

// filters say which containers are wanted: of each kind one of those that are named.
type filters struct {
	wanted     map[string][]string
	wantsEnded bool // also those that do not run
}

// parseFilters reads the --filter flags.
func parseFilters(texts []string) (filters, error) {
	f := filters{wanted: map[string][]string{}}
	known := []string{"id", "name", "status", "label", "ancestor", "exited", "health"}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || !slices.Contains(known, key) {
			return f, fmt.Errorf("%w: --filter %q is none of %s=…", errUsage, text,
				strings.Join(known, "= "))
		}
		f.wantsEnded = f.wantsEnded || key == "status" || key == "exited"
		f.wanted[key] = append(f.wanted[key], value)
	}
	return f, nil
}

// match reports whether a container is wanted.
func (f filters) match(c *engine.Container) bool {
	for key, values := range f.wanted {
		is := func(value string) bool { return matchOne(c, key, value) }
		if key == "label" { // all of them
			if slices.ContainsFunc(values, func(v string) bool { return !is(v) }) {
				return false
			}
		} else if !slices.ContainsFunc(values, is) {
			return false
		}
	}
	return true
}

// matchOne reports whether a container is what one filter says.
func matchOne(c *engine.Container, key, value string) bool {
	switch key {
	case "id":
		return strings.HasPrefix(c.ID, value)
	case "name":
		return strings.Contains(c.Name, strings.TrimPrefix(value, "/"))
	case "status":
		return c.State.Status == value
	case "ancestor":
		return c.Config.Image == value || strings.HasPrefix(c.Image, value)
	case "health":
		return c.State.Health != nil && c.State.Health.Status == value ||
			c.State.Health == nil && value == "none"
	case "exited":
		return c.State.Status == monitor.Gone && strconv.Itoa(c.State.ExitCode) == value
	}
	name, wanted, given := strings.Cut(value, "=")
	has, there := c.Config.Labels[name]
	return there && (!given || has == wanted)
}

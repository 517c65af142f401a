package plan

import (
	"fmt"
	"strings"

	"lab/final/internal/caps"
	"lab/final/internal/seccomp"
	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultUmask is what a process has that says nothing about it.
const defaultUmask = 0o022

// prepare compiles what `create` still does: the limits of the process itself, and
// the search for its program.
func (c *compiler) prepare() error {
	p := c.config.Process
	c.process(p)
	c.personality()
	c.user(p)
	c.sync(Created)
	return nil
}

// personality compiles the execution domain.
func (c *compiler) personality() {
	if person := c.config.Linux.Personality; person != nil {
		c.add(TitleExec, Init, "", Personality{string(person.Domain)})
	}
}

// process compiles what is limited process by process.
func (c *compiler) process(p *specs.Process) {
	mask := uint32(defaultUmask)
	if p.User.Umask != nil {
		mask = *p.User.Umask
	}
	c.add(TitleExec, Init, "", Umask{mask})
	for _, r := range p.Rlimits {
		c.add(TitleCgroups, Init, "", Rlimit{r.Type, r.Soft, r.Hard})
	}
	if s := p.Scheduler; s != nil {
		op := Schedule{
			Policy: uint32(spec.Policy(s.Policy)), Name: string(s.Policy), Nice: s.Nice,
			Priority: uint32(s.Priority),
			Runtime:  s.Runtime, Deadline: s.Deadline, Period: s.Period,
		}
		for _, flag := range s.Flags {
			op.Flags |= spec.SchedFlag(flag)
		}
		c.add(TitleCgroups, Init, "", op)
	}
	if io := p.IOPriority; io != nil {
		c.add(TitleCgroups, Init, "", IOPriority{
			spec.IOClass(io.Class), string(io.Class), io.Priority,
		})
	}
}

// user compiles the groups, and the search for the program as the user.
func (c *compiler) user(p *specs.Process) {
	c.add(TitleUser, Init, "", SetGroups{p.User.AdditionalGids})
	if len(p.User.AdditionalGids) == 0 {
		// A user namespace that nobody with rights has made keeps its groups: they
		// may be what shuts it out of a file.
		c.orElse("EPERM", nil)
	}
	c.add(TitleExec, Init, "path:program", FindProgram{
		Name: p.Args[0], Env: environment(p.Env), Cwd: p.Cwd, UID: p.User.UID, GID: p.User.GID,
	})
}

// start compiles what happens at `start`.
func (c *compiler) start() error {
	c.add(TitlePID, Runtime, "", SendStart{})
	c.add(TitlePID, Init, "", AwaitStart{})
	h := c.config.Hooks
	if h != nil {
		c.hooks(Init, "startContainer", h.StartContainer)
	}
	if err := c.become(c.config.Process); err != nil {
		return err
	}
	if h != nil {
		c.hooks(Runtime, "poststart", h.Poststart)
	}
	return nil
}

// become compiles the rights of the command, and the command.
func (c *compiler) become(p *specs.Process) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	// A filter that is loaded early is written for the command, and need not allow these.
	c.add(TitleExec, Init, "", Chdir{p.Cwd, p.User.UID, p.User.GID})
	c.add(TitleExec, Init, "", CloseFiles{3 + c.request.PreserveFDs})
	for _, l := range labels(p) {
		c.add(TitleUser, Init, "", l)
	}
	if filter != nil && !p.NoNewPrivileges {
		// To filter without no_new_privs takes CAP_SYS_ADMIN, which goes with the rest.
		c.add(TitleUser, Init, "", *filter)
	}
	sets := c.capabilities(p)
	c.add(TitleUser, Init, "", Bounding{sets})
	c.add(TitleUser, Init, "", SetUser{p.User.UID, p.User.GID})
	c.add(TitleUser, Init, "", Capabilities{sets})
	if p.NoNewPrivileges {
		c.add(TitleUser, Init, "", NoNewPrivs{})
	}
	last := Exec{Args: p.Args, Env: environment(p.Env)}
	if filter != nil && p.NoNewPrivileges {
		filter.Exec = &last
		c.add(TitleUser, Init, "", *filter)
	}
	c.add(TitleExec, Init, "", last)
	return nil
}

// environment leaves the last of the variables of one name: engines add what they are
// asked for at the end, and programs take what they find first.
func environment(pairs []string) []string {
	var kept []string
	at := map[string]int{}
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if i, again := at[name]; again {
			kept[i] = pair
			continue
		}
		at[name] = len(kept)
		kept = append(kept, pair)
	}
	return kept
}

// capabilities are those that the process gets: what cannot be granted is worth a warning
// (config.md, "Linux Process"). In a user namespace there are all of them.
func (c *compiler) capabilities(p *specs.Process) caps.Sets {
	sets, ignored := caps.FromSpec(p.Capabilities)
	granted := c.host.Caps
	if _, own := spec.Namespace(c.config, specs.UserNamespace); !own {
		granted &^= c.host.Withheld
	}
	lost := sets.Bounding | sets.Permitted | sets.Inheritable
	ignored = append(ignored, (lost &^ granted).Names()...)
	if len(ignored) > 0 {
		c.warnings = append(c.warnings, "not granted, for they are not to be had here: "+
			strings.Join(ignored, ", "))
	}
	return sets.And(granted)
}

// filter compiles the system call filter, if there is one.
func (c *compiler) filter() (*Seccomp, error) {
	given := c.config.Linux.Seccomp
	if given == nil {
		return nil, nil
	}
	filter, err := seccomp.Compile(given)
	if err != nil {
		return nil, fmt.Errorf(".linux.seccomp: %w", err)
	}
	return &Seccomp{
		Filter: *filter, Rules: len(given.Syscalls), Metadata: given.ListenerMetadata,
	}, nil
}

package volume

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Kind tells what is mounted.
type Kind string

// What a container can be given.
const (
	Bind  Kind = "bind"   // a file or directory of the host
	Named Kind = "volume" // a volume; one without a name is anonymous
	Tmpfs Kind = "tmpfs"  // memory
)

// Mount is one thing that a container is given at a path of its own.
type Mount struct {
	Kind        Kind
	Source      string // an absolute path for Bind, a name or nothing for Named
	Target      string // an absolute path in the container
	ReadOnly    bool
	Propagation string   // such as rslave; none is rprivate
	NoCopy      bool     // leave an empty volume empty
	NoRecursion bool     // without what is mounted below a Bind
	Mapped      bool     // a Bind is shown with the owners that it would have in the container
	MakeSource  bool     // make a directory if there is none, as -v does and --mount does not
	Options     []string // of a Tmpfs: size=64m
}

// IsLent reports whether a container with users of its own finds its own owners in it: in
// a volume always, in what is the host's if that is asked for.
func (m *Mount) IsLent() bool { return m.Kind == Named || m.Mapped }

// propagations are the ways a mount in the container and one on the host may tell each
// other of mounts below (mount_namespaces(7)).
var propagations = []string{"shared", "rshared", "slave", "rslave", "private", "rprivate"}

// Parse reads what -v was given. A relative path of the host has to begin with a dot.
//
//	/data                 an anonymous volume
//	NAME:/data[:OPTIONS]
//	/host:/data[:OPTIONS]
//	./here:/data[:OPTIONS]
func Parse(text string) (Mount, error) {
	m, err := parse(text)
	if err != nil {
		return m, fmt.Errorf("volume %q: %w", text, err)
	}
	return m, nil
}

// parse does the work of Parse.
func parse(text string) (m Mount, err error) {
	parts := strings.Split(text, ":")
	switch len(parts) {
	case 1:
		m.Kind, m.Target = Named, parts[0]
	case 3:
		if err := m.options(parts[2]); err != nil {
			return m, err
		}
		fallthrough
	case 2:
		m.Target = parts[1]
		if err := m.source(parts[0]); err != nil {
			return m, err
		}
	default:
		return m, errors.New("expected [SOURCE:]TARGET[:OPTIONS]")
	}
	return m, m.check()
}

// source tells a path from a name.
func (m *Mount) source(text string) (err error) {
	switch {
	case text == "":
		return errors.New("nothing before the first colon")
	case strings.HasPrefix(text, "/") || strings.HasPrefix(text, "."):
		m.Kind, m.MakeSource = Bind, true
		m.Source, err = filepath.Abs(text)
		return err
	case strings.Contains(text, "/"):
		return fmt.Errorf("%q is no name of a volume: a relative path begins with ./", text)
	}
	m.Kind, m.Source = Named, text
	return nil
}

// options reads what stands behind the second colon.
func (m *Mount) options(text string) error {
	for option := range strings.SplitSeq(text, ",") {
		switch {
		case option == "ro":
			m.ReadOnly = true
		case option == "rw":
		case option == "nocopy":
			m.NoCopy = true
		case option == "idmap":
			m.Mapped = true
		case slices.Contains(propagations, option):
			m.Propagation = option
		default:
			return fmt.Errorf("there is no option %q: "+
				"ro, rw, nocopy, idmap or one of %s", option, strings.Join(propagations, ", "))
		}
	}
	return nil
}

// check refuses what cannot be mounted.
func (m *Mount) check() error {
	if !path.IsAbs(m.Target) {
		return fmt.Errorf("%q is not an absolute path in the container", m.Target)
	}
	m.Target = path.Clean(m.Target)
	switch {
	case m.Target == "/":
		return errors.New("the container's root is its image")
	case m.Mapped && m.Kind != Bind:
		return errors.New("idmap is for directories of the host: a volume needs none")
	case m.Kind == Named && m.Source != "":
		if err := CheckName(m.Source); err != nil {
			return err
		}
	case m.Kind == Bind && m.NoCopy:
		return errors.New("nocopy is for volumes")
	}
	if m.Propagation != "" && m.Kind != Bind {
		return fmt.Errorf("%s is for directories of the host", m.Propagation)
	}
	return nil
}

// ParseMount reads what --mount was given.
//
//	type=bind,source=/host,target=/data,readonly,bind-propagation=rslave
//	type=volume,source=NAME,target=/data,volume-nocopy
//	type=tmpfs,target=/run,tmpfs-size=64m,tmpfs-mode=1777
func ParseMount(text string) (Mount, error) {
	m := Mount{Kind: Named}
	for field := range strings.SplitSeq(text, ",") {
		key, value, hasValue := strings.Cut(field, "=")
		if err := m.field(key, value, hasValue); err != nil {
			return m, fmt.Errorf("mount %q: %w", text, err)
		}
	}
	if err := m.checkFields(); err != nil {
		return m, fmt.Errorf("mount %q: %w", text, err)
	}
	return m, nil
}

// field reads one field of --mount.
func (m *Mount) field(key, value string, hasValue bool) (err error) {
	switch key {
	case "type":
		m.Kind = Kind(value)
		if m.Kind != Bind && m.Kind != Named && m.Kind != Tmpfs {
			err = fmt.Errorf("type %q is none of bind, volume, tmpfs", value)
		}
	case "source", "src":
		m.Source = value
	case "target", "destination", "dst":
		m.Target = value
	case "readonly", "ro":
		m.ReadOnly, err = truth(value, hasValue)
	case "volume-nocopy":
		m.NoCopy, err = truth(value, hasValue)
	case "idmap":
		m.Mapped, err = truth(value, hasValue)
	case "bind-nonrecursive":
		m.NoRecursion, err = truth(value, hasValue)
	case "bind-propagation":
		m.Propagation = value
		if !slices.Contains(propagations, value) {
			err = fmt.Errorf("propagation %q is none of %s", value,
				strings.Join(propagations, ", "))
		}
	case "tmpfs-size", "tmpfs-mode":
		m.Options = append(m.Options, strings.TrimPrefix(key, "tmpfs-")+"="+value)
	default:
		err = fmt.Errorf("there is no field %q", key)
	}
	return err
}

// truth reads a field that may stand alone for yes.
func truth(value string, hasValue bool) (bool, error) {
	if !hasValue {
		return true, nil
	}
	yes, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", value)
	}
	return yes, nil
}

// checkFields refuses fields that do not go together.
func (m *Mount) checkFields() error {
	switch m.Kind {
	case Tmpfs:
		if m.Source != "" {
			return errors.New("a tmpfs has no source")
		}
		if err := checkTmpfs(m.Options); err != nil {
			return err
		}
	case Bind:
		if !filepath.IsAbs(m.Source) {
			return fmt.Errorf("source %q is not an absolute path", m.Source)
		}
	case Named:
	}
	switch {
	case m.Kind != Bind && m.NoRecursion:
		return errors.New("bind-nonrecursive is for directories of the host")
	case m.Kind != Tmpfs && len(m.Options) > 0:
		return errors.New("tmpfs-size and tmpfs-mode are for a tmpfs")
	case m.Kind != Named && m.NoCopy:
		return errors.New("volume-nocopy is for volumes")
	}
	return m.check()
}

// ParseTmpfs reads what --tmpfs was given: a path and options of mount(8).
//
//	/run:rw,size=64m,mode=1777,exec
func ParseTmpfs(text string) (Mount, error) {
	target, options, found := strings.Cut(text, ":")
	m := Mount{Kind: Tmpfs, Target: target}
	err := m.check()
	if err == nil && found {
		m.Options = strings.Split(options, ",")
		err = checkTmpfs(m.Options)
	}
	if err != nil {
		return m, fmt.Errorf("tmpfs %q: %w", text, err)
	}
	return m, nil
}

// checkTmpfs refuses options that a tmpfs does not have (tmpfs(5)).
func checkTmpfs(options []string) error {
	known := []string{
		"rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "atime", "noatime",
		"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks",
	}
	for _, option := range options {
		key, value, hasValue := strings.Cut(option, "=")
		switch {
		case !slices.Contains(known, key) || hasValue != (slices.Index(known, key) > 9):
			return fmt.Errorf("a tmpfs has no option %q", option)
		case key == "mode":
			if _, err := strconv.ParseUint(value, 8, 12); err != nil {
				return fmt.Errorf("mode %q is not octal digits", value)
			}
		case key == "size" && !sizeRule(value):
			return fmt.Errorf("size %q: expected a number and k, m, g or %%", value)
		}
	}
	return nil
}

// sizeRule reports whether a tmpfs takes this as its size.
func sizeRule(value string) bool {
	number := strings.TrimRight(value, "kKmMgG%")
	n, err := strconv.ParseUint(number, 10, 63)
	return err == nil && n > 0 && len(value)-len(number) <= 1
}

// isFile reports whether a file is there that is no directory.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// OCI is the mount as config.json has it. The source of a volume is where the store has
// what it holds.
func (m Mount) OCI(source string) specs.Mount {
	if m.Kind == Tmpfs {
		options := append([]string{"noexec", "nosuid", "nodev", "mode=1777"}, m.Options...)
		if m.ReadOnly {
			options = append(options, "ro")
		}
		return specs.Mount{
			Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: options,
		}
	}
	options := []string{"rbind"}
	if m.NoRecursion {
		options[0] = "bind"
	}
	if m.Propagation != "" {
		options = append(options, m.Propagation)
	} else {
		options = append(options, "rprivate")
	}
	if m.ReadOnly {
		options = append(options, "ro")
	}
	if m.ReadOnly && !m.NoRecursion && !isFile(source) { // crun takes it for directories alone
		options = append(options, "rro") // what is mounted in it can be no way around that
	}
	return specs.Mount{
		Destination: m.Target, Type: "bind", Source: source, Options: options,
	}
}

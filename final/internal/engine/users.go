//go:build linux

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"lab/final/internal/stage"
	"lab/final/internal/volume"
)

// Whose users a container has: --userns.
const (
	usersHost = "host" // those of the host, which is also what is meant by nothing
	usersAuto = "auto" // its own: ids that nobody else has
)

// manyIDs are how many ids a container with users of its own has, as many as an image can
// be expected to use.
const manyIDs = 65536

// lender is whose lines in /etc/subuid and /etc/subgid say which ids root may give to
// containers, as podman has it:
//
//	containers:3000000000:1048576
const lender = "containers"

// Without such lines these are given: they lie above those that useradd(8) hands out and
// below those in which systemd keeps files of others.
const (
	firstID = 2_000_000_000
	lastID  = 2_147_352_575
)

// UsersError is why a container cannot have users of its own.
type UsersError struct{ mode, text, hint string }

// Error says it.
func (u *UsersError) Error() string { return "--userns " + u.mode + ": " + u.text }

// Hint is what to do instead.
func (u *UsersError) Hint() string { return u.hint }

// ownUsers reports whether a container is to have users of its own.
func (h *HostConfig) ownUsers() bool { return h.UsernsMode == usersAuto }

// checkUsers refuses users that cannot be had.
func (e *Engine) checkUsers(h *HostConfig, mounts []volume.Mount) error {
	switch h.UsernsMode {
	case "", usersHost:
		if slices.ContainsFunc(mounts, func(m volume.Mount) bool { return m.Mapped }) {
			return &UsersError{
				usersHost, "idmap is for containers with users of their own",
				"--userns auto",
			}
		}
		return nil
	case usersAuto:
		return e.checkOwnUsers(h)
	case "keep-id":
		return &UsersError{h.UsernsMode, "only root can show the files of an image with other " +
			"owners", "leave it out: an ordinary user is the root of their containers, outside"}
	}
	return &UsersError{h.UsernsMode, "it is neither auto nor host", "--userns auto"}
}

// checkOwnUsers refuses users of its own where they cannot be had.
func (e *Engine) checkOwnUsers(h *HostConfig) error {
	if !e.ids.all() {
		return &UsersError{
			usersAuto, "only root can show the files of an image with other owners",
			"leave it out: all your containers are in a user namespace already",
		}
	}
	if h.Privileged {
		return &UsersError{
			usersAuto, "who is nobody on the host has no rights over its devices",
			"leave --privileged or --userns out",
		}
	}
	for flag, mode := range map[string]string{"--pid": h.PidMode, "--ipc": h.IpcMode} {
		if mode != "" && mode != "private" {
			return &UsersError{
				usersAuto,
				"it would have no rights over what " + flag + " " + mode + " shares",
				"leave " + flag + " or --userns out",
			}
		}
	}
	return nil
}

// giveIDs gives a new container ids that no other one has, if it is to have its own. Nobody
// else is given any before done is called; then it is on record which they are.
func (e *Engine) giveIDs(c *Container) (done func(), err error) {
	if !c.HostConfig.ownUsers() {
		return func() {}, nil
	}
	dir, err := os.Open(e.path("containers"))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", dir.Name(), err), dir.Close())
	}
	done = func() { _ = dir.Close() } // nothing was written to it
	blocks, err := blocksOfIDs()
	if err == nil {
		err = e.chooseIDs(c, blocks)
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// chooseIDs chooses the first block that is free.
func (e *Engine) chooseIDs(c *Container, blocks []uint32) error {
	all, err := e.list(e.read)
	if err != nil {
		return err
	}
	taken := map[uint32]bool{}
	for _, other := range all {
		taken[other.FirstID] = true
	}
	i := slices.IndexFunc(blocks, func(first uint32) bool { return !taken[first] })
	if i < 0 {
		return &UsersError{
			usersAuto,
			fmt.Sprintf("all ids are taken: there are %d times %d", len(blocks), manyIDs),
			"mini container prune, or longer lines of " + lender +
				" in /etc/subuid and /etc/subgid",
		}
	}
	c.FirstID = blocks[i]
	return nil
}

// blocksOfIDs are the first of every 65536 ids that can be given to a container, as user
// and as group.
func blocksOfIDs() (blocks []uint32, err error) {
	var lent [2][]uint32
	none := true
	for i, file := range []string{"/etc/subuid", "/etc/subgid"} {
		lines, err := user.ParseSubIDFileFilter(file, func(s user.SubID) bool {
			return s.Name == lender
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, s := range lines {
			none = false
			lent[i] = append(lent[i], blocksIn(s.SubID, s.SubID+s.Count-1)...)
		}
	}
	if none {
		return blocksIn(firstID, lastID), nil
	}
	for _, first := range lent[0] {
		if slices.Contains(lent[1], first) {
			blocks = append(blocks, first)
		}
	}
	return blocks, nil
}

// blocksIn parts a range of ids.
func blocksIn(first, last int64) (blocks []uint32) {
	for ; first+manyIDs-1 <= last; first += manyIDs {
		blocks = append(blocks, uint32(first))
	}
	return blocks
}

// idMap is whom its ids stand for:
//
//	0 2000000000 65536
func (c *Container) idMap() []specs.LinuxIDMapping {
	if c.FirstID == 0 {
		return nil
	}
	return []specs.LinuxIDMapping{{HostID: c.FirstID, Size: manyIDs}}
}

// userNamespace makes one like that which the container will have; nil if it has none.
func (c *Container) userNamespace() (*os.File, error) {
	if c.FirstID == 0 {
		return nil, nil //nolint:nilnil // That is what is asked.
	}
	// It is cat(1), which ends with its input.
	return stage.UserNamespace([]string{"cat"}, c.idMap(), c.idMap())
}

//go:build unix

package program

import (
	"os/exec"
	"syscall"

	"lab/internal/invoker"
)

// RunAs makes a command run as the invoker when root acts for them: what a
// build writes into the caches must stay theirs.
func RunAs(cmd *exec.Cmd, who invoker.Invoker) {
	if !who.Sudo {
		return
	}
	cmd.Env = append(cmd.Env, "HOME="+who.Home)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(who.UID), Gid: uint32(who.GID)},
	}
}

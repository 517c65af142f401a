//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/course"
	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/tour"
)

// A scene is played by a process of its own, `lab tour scene STEP`: as an
// ordinary user it is root of a user namespace there, while the tour itself
// stays on the host. It prints the scene as JSON while its container runs and
// ends it when its input ends.

// newScene makes the hidden command.
func newScene() *cobra.Command {
	return &cobra.Command{
		Use:    "scene STEP",
		Hidden: true,
		Args:   arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
			defer stop()
			step, err := course.Find(args[0])
			if err != nil {
				return err
			}
			return stageScene(ctx, step, cmd.OutOrStdout())
		},
	}
}

// stageScene plays a scene, prints it and waits for the end of the input.
func stageScene(ctx context.Context, step course.Step, out io.Writer) error {
	path, err := program.Path(ctx, step.ID)
	if err != nil {
		return noProgram(err)
	}
	run := beginRun(journal.Plan{
		Command: []string{"lab", "tour", step.ID[:2]}, Step: step.ID,
		Bridge: step.ID >= "04-net" && os.Getenv("LAB_ROOTLESS") == "",
	})
	root, err := temporaryRoot(run)
	if err != nil {
		return errors.Join(err, endRun(run))
	}
	subject := &check.Subject{
		Step: step.ID, Program: path, Root: root,
		Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
	if step.ID == "05-cgroups" {
		subject.Before = delegatedScope(step, need.Look())
	}
	return errors.Join(playInto(ctx, run, subject, out), endRun(run))
}

// playInto plays a scene, prints it and keeps its container until the input
// ends.
func playInto(ctx context.Context, run *journal.Run, subject *check.Subject, out io.Writer) error {
	scene, end := tour.Play(ctx, subject, run.Directory, os.Getenv("LAB_ROOTLESS") != "")
	if scene.PID != 0 {
		_ = run.Note(journal.RoleContainer, scene.PID) // it may have ended already
	}
	printed := json.NewEncoder(out).Encode(scene)
	released := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
		close(released)
	}()
	select {
	case <-released:
	case <-ctx.Done():
	}
	return errors.Join(printed, end(context.WithoutCancel(ctx)))
}

// playScene starts a scene's process and reads its result. The scene's
// container runs until the returned function is called.
func playScene(
	ctx context.Context, step course.Step, facts need.Facts,
) (scene tour.Scene, end func() error, err error) {
	cmd := exec.Command("/proc/self/exe", "tour", "scene", step.ID)
	cmd.Args[0] = os.Args[0]
	cmd.Stderr = os.Stderr
	// The scene is not in our process group: an interruption comes to it from
	// us, when we close its input, and it ends its container in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := sceneUser(cmd, step, facts); err != nil {
		return scene, nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return scene, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return scene, nil, err
	}
	cmd.SysProcAttr.Pdeathsig = unix.SIGTERM
	runtime.LockOSThread() // the signal comes when the starting thread ends
	if err := cmd.Start(); err != nil {
		return scene, nil, fmt.Errorf("start the scene of %s: %w", step.ID, err)
	}
	cancelled := context.AfterFunc(ctx, func() { _ = stdin.Close() })
	end = func() error {
		defer runtime.UnlockOSThread()
		cancelled()
		_ = stdin.Close() // closed already when the tour was interrupted
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("end the scene of %s: %w", step.ID, err)
		}
		return nil
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return scene, nil, errors.Join(fmt.Errorf("%s: %w", step.ID, errScene), end())
	}
	if err := json.Unmarshal(line, &scene); err != nil {
		return scene, nil, errors.Join(fmt.Errorf("read the scene of %s: %w", step.ID, err), end())
	}
	return scene, end, nil
}

// sceneUser makes a scene's process root of a user namespace for an ordinary
// user. Step 08 makes its own from the host.
func sceneUser(cmd *exec.Cmd, step course.Step, facts need.Facts) error {
	if facts.Root || step.ID == "08-user" {
		return nil
	}
	if !facts.UserNS.OK {
		err := fmt.Errorf("show %s as an ordinary user: %s", step.ID, facts.UserNS.Why)
		return hinted{err, asRoot()}
	}
	cmd.Env = append(os.Environ(), "LAB_ROOTLESS=1")
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	return nil
}

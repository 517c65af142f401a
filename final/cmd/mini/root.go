package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/hint"
)

// The groups of verbs, in the order of `mini help`.
const (
	groupContainers = "containers"
	groupLook       = "look"
	groupImages     = "images"
	groupHost       = "host"
	groupSystem     = "system"
)

// app is one call of mini: what stands before the verb. A verb's constructor is given it
// and reads it when the verb runs, for the flags are read in between.
type app struct {
	root    string // what outlasts a reboot: images, layers, containers, volumes, networks
	state   string // what does not: bundles, monitors, the runtime's own state
	runtime string // the OCI runtime: a name, or a path
	debug   bool
}

// newRoot makes the command line: one file a verb.
func newRoot() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:           "mini",
		Short:         "Images, containers, volumes and networks, with no daemon",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.enter(cmd) },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.root, "root", defaultRoot(), "directory of what is kept")
	flags.StringVar(&a.state, "state", defaultState(), "directory of what a reboot ends")
	flags.StringVar(&a.runtime, "runtime", "minirun", "OCI runtime, its name or path")
	flags.BoolVar(&a.debug, "debug", false, "tell what is done on the way")
	root.AddGroup(
		&cobra.Group{ID: groupContainers, Title: "Containers:"},
		&cobra.Group{ID: groupLook, Title: "Look into containers:"},
		&cobra.Group{ID: groupImages, Title: "Images:"},
		&cobra.Group{ID: groupHost, Title: "Volumes and networks:"},
		&cobra.Group{ID: groupSystem, Title: "The store:"},
	)
	root.SetFlagErrorFunc(wrongFlag)
	root.SuggestionsMinimumDistance = 2
	root.SetHelpCommandGroupID(groupSystem)
	root.SetCompletionCommandGroupID(groupSystem)
	if width := terminalWidth(os.Stdout); width > 0 {
		root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages",
			fmt.Sprintf(".FlagUsagesWrapped %d", width)))
	}
	for _, verb := range a.verbs() {
		verb.DisableFlagsInUseLine = true // its use line says where they stand
		root.AddCommand(verb)
	}
	return root
}

// wrongFlag is the error of a flag that cannot be understood.
func wrongFlag(cmd *cobra.Command, err error) error {
	return hint.Add(fmt.Errorf("%w: %w", errUsage, err), cmd.CommandPath()+" --help")
}

// verbs are all verbs there are.
func (a *app) verbs() []*cobra.Command {
	return append(imageVerbs(a), []*cobra.Command{
		newRun(a), newCreate(a), newStart(a), newStop(a), newRestart(a), newKill(a), newWait(a),
		newPause(a), newUnpause(a), newRename(a), newUpdate(a), newRemove(a), newExec(a),
		newAttach(a), newDebug(a), newPs(a), newLogs(a), newInspect(a), newEvents(a), newStats(a),
		newTop(a), newPort(a), newDiff(a), newCp(a), newCommit(a), newExport(a), newBuild(a),
		newBuilder(a), newNetwork(a), newVolume(a), newContainer(a), newSystem(a), newVersion(),
	}...)
}

// engine opens the engine that the global flags describe.
func (a *app) engine() (*engine.Engine, error) {
	return engine.Open(engine.Options{
		Root: a.root, State: a.state, Runtime: a.runtime, Debug: a.debug, Warn: warn,
	})
}

// defaultRoot is where everything is kept unless --root says otherwise.
func defaultRoot() string {
	if os.Geteuid() == 0 {
		return "/var/lib/mini"
	}
	if data := os.Getenv("XDG_DATA_HOME"); data != "" {
		return filepath.Join(data, "mini")
	}
	return filepath.Join(os.Getenv("HOME"), ".local/share/mini")
}

// defaultState is where the state of running containers is unless --state says otherwise.
func defaultState() string {
	if os.Geteuid() == 0 {
		return "/run/mini"
	}
	if run := os.Getenv("XDG_RUNTIME_DIR"); run != "" {
		return filepath.Join(run, "mini")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("mini-%d", os.Geteuid()))
}

// noSuchVerb refuses a first word that is no verb.
func noSuchVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	try := "mini --help"
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		try = "mini " + similar[0]
	}
	return hint.Add(fmt.Errorf("%w: there is no verb %q", errUsage, args[0]), try)
}

// many is more arguments than a command line can have.
const many = 1 << 20

// arguments makes a check of how many arguments a verb takes.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		return hint.Add(
			fmt.Errorf("%w: %s takes %s, not %d", errUsage, cmd.CommandPath(),
				amount(least, most), len(args)),
			cmd.UseLine(),
		)
	}
}

// amount puts how many arguments are wanted into words.
func amount(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case most == many && least == 1:
		return "at least one argument"
	case most == many:
		return fmt.Sprintf("at least %d arguments", least)
	case least == most && least == 1:
		return "one argument"
	case least == most:
		return fmt.Sprintf("%d arguments", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"lab/internal/baseroot"
	"lab/internal/invoker"
)

// rootfsVariable names the environment variable that says what roots are made
// of where --from does not.
const rootfsVariable = "LAB_ROOTFS_FROM"

// newRootfs makes `lab rootfs DIR`.
func newRootfs() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:     "rootfs DIR",
		Short:   "Write the built-in root file system into a directory",
		Example: "  lab rootfs /tmp/root\n  sudo chroot /tmp/root sh",
		GroupID: groupKeep,
		Args:    arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			source, err := baseroot.ParseSource(from)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return writeRoot(args[0], source)
		},
	}
	standard := cmp.Or(os.Getenv(rootfsVariable), "box")
	cmd.Flags().StringVar(&from, "from", standard, "what it is made of: box, busybox or dir:PATH")
	return cmd
}

// writeRoot writes a root file system whose programs are this executable, in a
// static build.
func writeRoot(dir string, source baseroot.Source) error {
	who, err := invoker.Current()
	if err != nil {
		return err
	}
	if source.Lab, err = baseroot.StaticBinary(who.CacheDir()); err != nil {
		return err
	}
	return baseroot.Write(dir, source)
}

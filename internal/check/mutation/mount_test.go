//go:build linux

package mutation

// mountMutations break 03-mount.
func mountMutations() []mutation {
	private := "if err := mount.MakeRPrivate(\"/\"); err != nil {\n\t\treturn err\n\t}"
	unmount := "if err := unix.Unmount(\".\", unix.MNT_DETACH); err != nil {\n" +
		"\t\treturn fmt.Errorf(\"umount the old root: %w\", err)\n\t}"
	return []mutation{
		{name: "no CLONE_NEWNS", edits: []edit{
			{
				"main.go", "unix.CLONE_NEWUTS | unix.CLONE_NEWPID |\n\t\t\t\tunix.CLONE_NEWNS,",
				"unix.CLONE_NEWUTS | unix.CLONE_NEWPID,",
			},
		}},
		{name: "mounts stay shared", shared: true, edits: []edit{{"mount.go", private, ""}}},
		{name: "only the root is made private", shared: true, edits: []edit{
			{"mount.go", `mount.MakeRPrivate("/")`, `mount.MakePrivate("/")`},
		}},
		{name: "chroot in the place of pivot_root", toured: true, edits: []edit{
			{"mount.go", `unix.PivotRoot(".", ".")`, `unix.Chroot(".")`},
			{"mount.go", unmount, ""},
		}},
		{name: "no pivot_root at all", toured: true, edits: []edit{
			{"mount.go", `unix.PivotRoot(".", ".")`, "error(nil)"},
			{"mount.go", unmount, ""},
		}},
		{name: "the old root is not unmounted", edits: []edit{{"mount.go", unmount, ""}}},
		{name: "the old root stays in a directory", edits: []edit{
			{"mount.go", `unix.PivotRoot(".", ".")`, `unix.PivotRoot(".", "mnt")`},
			{"mount.go", unmount, ""},
		}},
		{name: "the root is no mount", edits: []edit{
			{"mount.go", `return mount.Mount(root, root, "", "rbind")`, "return nil"},
		}},
		{name: "the root is bound on the host", edits: []edit{
			{
				"mount.go", "not a directory\", c.Rootfs)\n\t}\n\treturn nil",
				"not a directory\", c.Rootfs)\n\t}\n\treturn mountRoot(c.Rootfs)",
			},
		}},
	}
}

// systemMutations break what 03-mount mounts below its root.
func systemMutations() []mutation {
	newProc := `return mount.Mount("proc", target, "proc", "nosuid,nodev,noexec")`
	return []mutation{
		{name: "no /proc", toured: true, edits: []edit{{"mount.go", newProc, "return nil"}}},
		{name: "the host's /proc", toured: true, edits: []edit{
			{"mount.go", newProc, `return mount.Mount("/proc", target, "", "rbind")`},
		}},
		{name: "the host's /proc where the host's root stays", edits: []edit{
			{
				"mount.go", `return mount.Mount("proc", "/proc", "proc", "nosuid,nodev,noexec")`,
				"return nil",
			},
		}},
		{name: "no /sys", edits: []edit{
			{"mount.go", ", {\"sys\", mountSys}", ""},
		}},
		{name: "/sys can be written to", edits: []edit{
			{"mount.go", `"ro,nosuid,nodev,noexec"`, `"nosuid,nodev,noexec"`},
		}},
		{name: "no /dev", edits: []edit{
			{"mount.go", ", {\"dev\", mountDev}", ""},
		}},
		{name: "the host's /dev", edits: []edit{
			{
				"dev.go", "for _, name := range []string{\n\t\t\"null\",",
				"if err := mount.Mount(\"/dev\", dev, \"\", \"rbind\"); err == nil {\n" +
					"\t\treturn nil\n\t}\n\tfor _, name := range []string{\n\t\t\"null\",",
			},
		}},
		{name: "a device is missing", edits: []edit{{"dev.go", `"urandom", "tty",`, `"tty",`}}},
		{name: "a device is a plain file", edits: []edit{
			{
				"dev.go", "unix.Mknod(target, st.Mode, int(st.Rdev))",
				"os.WriteFile(target, nil, 0o600)",
			},
		}},
		{name: "no terminals", edits: []edit{
			{"dev.go", "return mountTerminals(dev)", "return nil"},
		}},
	}
}

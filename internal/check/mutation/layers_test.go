//go:build linux

package mutation

// overlayMutations break 06-unionfs.
func overlayMutations() []mutation {
	const overlay = `unix.Mount("overlay", "merged", "overlay", 0, options)`
	return []mutation{
		{name: "the topmost layer is bound, there is no overlay", edits: []edit{
			{
				"overlay.go", "err = " + overlay,
				`_, err = options, unix.Mount("1", "merged", "", unix.MS_BIND|unix.MS_REC, "")`,
			},
		}},
		{name: "one lower layer only", edits: []edit{
			{
				"overlay.go", "lower = append(lower, name)",
				"if i == 0 {\n\t\t\tlower = append(lower, name)\n\t\t}",
			},
		}},
		{name: "the layers are in reverse order", edits: []edit{
			{
				"overlay.go", "lower = append(lower, name)",
				`lower = append([]string{"init", name}, lower[1:]...)`,
			},
		}},
		{name: "the work directory stays", edits: []edit{
			{"workdir.go", "c.undo = append(c.undo, func() error { return removeWork(work) })", ""},
		}},
		{name: "the init layer is in upper", edits: []edit{
			{
				"overlay.go", "\tc.Rootfs = \".\"\n",
				"\tfor _, name := range []string{\"hosts\", \"hostname\", \"resolv.conf\"} {\n" +
					"\t\ttext, _ := os.ReadFile(\"init/etc/\" + name)\n" +
					"\t\t_ = os.WriteFile(\"merged/etc/\"+name, text, 0o644)\n\t}\n" +
					"\tc.Rootfs = \".\"\n",
			},
		}},
		{name: "upper is left out", toured: true, edits: []edit{
			{"overlay.go", `options += ",upperdir=upper,workdir=work"`, "options += \"\""},
		}},
		{name: "the container does not find its name", edits: []edit{
			{
				"initlayer.go",
				"\t\t\"hosts\":       hosts(c.Hostname, c.Net.Address.Addr()),\n", "",
			},
		}},
		{name: "the init layer is not there", edits: []edit{
			{"initlayer.go", `os.WriteFile("init/etc/"+name, []byte(text), 0o644)`, "error(nil)"},
			{"initlayer.go", "for name, text := range", "for range"},
		}},
	}
}

// volumeMutations break 07-volumes.
func volumeMutations() []mutation {
	return []mutation{
		{name: "a volume is not mounted", edits: []edit{
			{"volume.go", "err := v.mount(root); err != nil", "err := error(nil); err != nil"},
		}},
		{name: "a volume is mounted on the host", shared: true, edits: []edit{
			{
				"mount.go", "\tif err := mount.MakeRPrivate",
				"\tif err := errors.Join(openVolumes(c), mountVolumes(c)); err != nil {\n" +
					"\t\treturn err\n\t}\n\tc.Volumes = nil\n\tif err := mount.MakeRPrivate",
			},
		}},
		{name: "a volume is a copy", toured: true, edits: []edit{
			{
				"volume.go", "err := v.mount(root); err != nil",
				"err := os.CopyFS(c.Rootfs+v.Target, os.DirFS(v.Source)); err != nil",
			},
		}},
		{name: "a read-only volume can be written to", edits: []edit{
			{
				"volume.go", "if v.ReadOnly {\n\t\t\terr",
				"if v.ReadOnly && err != nil {\n\t\t\terr",
			},
		}},
		{name: "links lead out of the root", edits: []edit{
			{
				"target.go", "unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | more",
				"unix.RESOLVE_NO_MAGICLINKS | more",
			},
			{
				"target.go", "\thow := &unix.OpenHow{\n",
				"\tname = \".\" + name\n\thow := &unix.OpenHow{\n",
			},
		}},
		{name: "a source that is missing is made", edits: []edit{
			{
				"volume.go", "if _, err := os.Stat(v.Source); err != nil {",
				"_ = os.MkdirAll(v.Source, 0o755)\n" +
					"\t\tif _, err := os.Stat(v.Source); err != nil {",
			},
		}},
	}
}

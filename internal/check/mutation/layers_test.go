//go:build linux

package mutation

// overlayMutations break 06-unionfs.
func overlayMutations() []mutation {
	return []mutation{
		{name: "one lower layer only", edits: []edit{
			{
				"overlay.go", "lower = append(lower, name)",
				"if i == 0 {\n\t\t\tlower = append(lower, name)\n\t\t}",
			},
		}},
		{name: "the lowest layer is on top", edits: []edit{
			{
				"overlay.go", "lower = append(lower, name)",
				`lower = append([]string{"init", name}, lower[1:]...)`,
			},
		}},
		{name: "upper is left out", edits: []edit{
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
		{name: "a read-only volume can be written to", edits: []edit{
			{"volume.go", "if v.ReadOnly {\n\t\t\terr", "if v.ReadOnly && err != nil {\n\t\t\terr"},
		}},
		{name: "a volume is not mounted", edits: []edit{
			{"volume.go", "err := v.mount(root); err != nil", "err := error(nil); err != nil"},
		}},
		{name: "links lead out of the root", edits: []edit{
			{
				"target.go", "unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | more",
				"unix.RESOLVE_NO_MAGICLINKS | more",
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

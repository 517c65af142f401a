//go:build linux

package mutation

// netMutations break 04-net.
func netMutations() []mutation {
	return []mutation{
		{name: "no CLONE_NEWNET", edits: []edit{
			{"main.go", "unix.CLONE_NEWNS | unix.CLONE_NEWNET,", "unix.CLONE_NEWNS,"},
		}},
		{name: "lo stays down", toured: true, edits: []edit{
			{"net.go", `err := bringUp("lo"); err != nil`, "err := error(nil); err != nil"},
		}},
		{name: "no address", edits: []edit{
			{"net.go", "addAddress(eth0, c.Net.Address)", "error(nil)"},
			{"net.go", "eth0, err := netlink", "_, err := netlink"},
		}},
		{name: "no default route", toured: true, edits: []edit{
			{"net.go", "netlink.RouteAdd(route)", "func(any) error { return nil }(route)"},
		}},
		{name: "the veth pair is not on the bridge", toured: true, edits: []edit{
			{"net.go", "netlink.LinkSetMaster(port, bridge)", "error(nil)"},
		}},
		{name: "the container does not leave the bridge", edits: []edit{
			{"net.go", "c.undo = append(c.undo, func() error { return disconnect(c) })", ""},
		}},
		{name: "the bridge stays", edits: []edit{
			{
				"bridge.go", "gone := netlink.LinkDel(bridge); gone != nil",
				"gone := error(nil); gone != nil",
			},
		}},
		{name: "no masquerade rule", edits: []edit{
			{
				"nat.go", "\tif !there {\n\t\tmasquerade(rules, subnet)\n\t}\n",
				"\t_, _ = there, masquerade\n",
			},
		}},
		{name: "the host does not forward", edits: []edit{
			{"nat.go", `err := writeSettings("ip_forward=1")`, "err := error(nil)"},
		}},
		{name: "the rules stay", edits: []edit{
			{
				"bridge.go", "errors.Join(removeRules(), writeSettings(before))",
				"writeSettings(before)",
			},
		}},
		{name: "the settings are not put back", edits: []edit{
			{"bridge.go", "writeSettings(before)", "func(string) error { return nil }(before)"},
		}},
		{name: "a bridge without a port is not taken over", edits: []edit{
			{
				"bridge.go", "bridge != nil {\n\t\terr = removeIfUnused(bridge)\n\t}\n",
				"bridge != nil {\n\t\treturn nil, netip.Prefix{}, unix.EEXIST\n\t}\n",
			},
		}},
	}
}

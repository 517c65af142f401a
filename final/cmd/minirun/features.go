package main

import (
	"fmt"

	"lab/final/internal/caps"
	"lab/final/internal/plan"
	"lab/final/internal/seccomp"
	"lab/final/internal/spec"

	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// version prints who this is, as engines read it: the second line says which version of
// the specification is meant.
func (a *app) version() error {
	_, err := fmt.Fprintf(a.out, "minirun version %s\nspec: %s\n", version, spec.VersionMax)
	return err
}

// features prints what is supported. What is not is not in it.
func (a *app) features(args []string) (int, error) {
	if err := arguments(newFlags("features"), args, 0, 0); err != nil {
		return 0, err
	}
	yes, no := true, false
	known, supported := seccomp.Flags()
	f := features.Features{
		OCIVersionMin: spec.VersionMin, OCIVersionMax: spec.VersionMax,
		Hooks: []string{
			"prestart", "createRuntime", "createContainer", "startContainer",
			"poststart", "poststop",
		},
		MountOptions: plan.MountOptions(),
		Linux: &features.Linux{
			Capabilities: caps.All(),
			Cgroup:       &features.Cgroup{V1: &yes, V2: &yes, Systemd: &yes, SystemdUser: &yes},
			Seccomp: &features.Seccomp{
				Enabled: &yes, Actions: seccomp.Actions(), Operators: seccomp.Operators(),
				Archs: seccomp.Architectures(), KnownFlags: known, SupportedFlags: supported,
			},
			Apparmor:        &features.Apparmor{Enabled: &yes},
			Selinux:         &features.Selinux{Enabled: &yes},
			IntelRdt:        &features.IntelRdt{Enabled: &no},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &yes}},
			NetDevices:      &features.NetDevices{Enabled: &no},
		},
	}
	for _, kind := range spec.Kinds() {
		f.Linux.Namespaces = append(f.Linux.Namespaces, string(kind))
	}
	return 0, a.json(f)
}

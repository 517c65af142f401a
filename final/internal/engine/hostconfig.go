//go:build linux

package engine

import "lab/final/internal/monitor"

// HostConfig is what belongs to this host, in the words of `docker inspect`.
type HostConfig struct {
	NetworkMode    string
	RestartPolicy  monitor.Restart
	AutoRemove     bool
	ReadonlyRootfs bool
	Tmpfs          map[string]string `json:",omitempty"`
	Runtime        string

	Memory     int64  // bytes; 0 is no limit, as for all that follow
	MemorySwap int64  // memory and swap together; -1 is no limit
	NanoCpus   int64  // processors, in billionths
	CpuPeriod  uint64 //nolint:revive // docker's word
	CpuQuota   int64  //nolint:revive // docker's word
	CpuShares  uint64 //nolint:revive // docker's word
	CpusetCpus string
	CpusetMems string
	PidsLimit  int64

	ShmSize     int64
	Ulimits     []Ulimit          `json:",omitempty"`
	Sysctls     map[string]string `json:",omitempty"`
	Devices     []Device          `json:",omitempty"`
	CapAdd      []string          `json:",omitempty"`
	CapDrop     []string          `json:",omitempty"`
	SecurityOpt []string          `json:",omitempty"`
	Privileged  bool

	// The namespaces that are not its own: host, container:ID or, of ipc, private.
	PidMode, IpcMode, UTSMode string
}

// Ulimit is a limit of each process.
type Ulimit struct {
	Name       string // nofile
	Soft, Hard uint64
}

// Device is a device of the host's.
type Device struct {
	PathOnHost, PathInContainer string
	CgroupPermissions           string // of r, w and m
}

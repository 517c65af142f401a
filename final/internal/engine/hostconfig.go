//go:build linux

package engine

import (
	"net/netip"

	"lab/final/internal/monitor"
	"lab/final/internal/network"
)

// HostConfig is what belongs to this host, in the words of `docker inspect`.
type HostConfig struct {
	NetworkMode    string
	Ports          []network.Port  `json:"PortBindings,omitempty"`
	ExtraHosts     []network.Entry `json:",omitempty"`
	DNS            network.DNS
	IPAddress      netip.Addr     `json:",omitzero"`  // one on its network that was asked for
	Joined         []network.Join `json:",omitempty"` // more networks that it is on
	RestartPolicy  monitor.Restart
	AutoRemove     bool
	PublishAll     bool `json:"PublishAllPorts"`
	Init           bool // our own init is its first process
	ReadonlyRootfs bool
	Tmpfs          map[string]string `json:",omitempty"`
	Runtime        string

	Memory     int64  // bytes; 0 is no limit, as for all that follow
	MemorySwap int64  // memory and swap together; -1 is no limit
	NanoCpus   int64  // processors, in billionths
	CPUPeriod  uint64 `json:"CpuPeriod"`
	CPUQuota   int64  `json:"CpuQuota"`
	CPUShares  uint64 `json:"CpuShares"`
	CpusetCpus string
	CpusetMems string
	PidsLimit  int64

	BlkioWeight                               uint16
	BlkioDeviceReadBps, BlkioDeviceWriteBps   []Throttle `json:",omitempty"`
	BlkioDeviceReadIOps, BlkioDeviceWriteIOps []Throttle `json:",omitempty"`

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
	// UsernsMode is whose users it has: host or auto, which are its own.
	UsernsMode string
}

// Throttle is the most that goes from or to a device in a second.
type Throttle struct {
	Path string // of the device
	Rate uint64 // bytes, or operations
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

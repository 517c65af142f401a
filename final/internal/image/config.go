package image

import (
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Config is an image's configuration: the specification's, and what docker added to it.
type Config struct {
	v1.Image
	// Config hides the member of the same name of v1.Image, in Go and in JSON.
	Config Process `json:"config"`
}

// Process is what the configuration says of the container's process.
type Process struct {
	v1.ImageConfig
	Healthcheck *Healthcheck `json:"Healthcheck,omitempty"`
	OnBuild     []string     `json:"OnBuild,omitempty"` // instructions for the next build
	Shell       []string     `json:"Shell,omitempty"`   // what runs the shell form of RUN
}

// Healthcheck is a command that tells whether a container works. Durations are in
// nanoseconds; zero means the default.
type Healthcheck struct {
	Test          []string      `json:"Test,omitempty"` // NONE, CMD … or CMD-SHELL …
	Interval      time.Duration `json:"Interval,omitempty"`
	Timeout       time.Duration `json:"Timeout,omitempty"`
	StartPeriod   time.Duration `json:"StartPeriod,omitempty"`
	StartInterval time.Duration `json:"StartInterval,omitempty"`
	Retries       int           `json:"Retries,omitempty"`
}

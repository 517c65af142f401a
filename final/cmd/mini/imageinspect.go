package main

import (
	"errors"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"lab/final/internal/image"
)

// newImageInspect makes `mini image inspect`.
func newImageInspect(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "inspect [FLAGS] IMAGE…",
		Short: "Show all that is known of an image",
		Args:  arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			found := []imageDetails{}
			var all error
			for _, word := range args {
				_, img, err := a.image("image inspect", word)
				if err != nil {
					all = errors.Join(all, err)
					continue
				}
				found = append(found, detailsOf(img))
			}
			return errors.Join(printDetails(cmd, format, found), all)
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "a template: '{{.Config.Env}}'")
	return cmd
}

// imageDetails is an image in the words of `docker image inspect`.
type imageDetails struct {
	ID           string `json:"Id"`
	RepoTags     []string
	RepoDigests  []string
	Comment      string
	Created      *time.Time
	Author       string
	Config       image.Process
	Architecture string
	Variant      string `json:",omitempty"`
	Os           string
	Size         int64 // of the packed layers
	RootFS       rootFS
	Descriptor   v1.Descriptor
}

// rootFS is which layers there are.
type rootFS struct {
	Type   string
	Layers []digest.Digest // of their tars, the lowest first
}

// detailsOf describes an image.
func detailsOf(img *image.Image) imageDetails {
	c := img.Config
	d := imageDetails{
		ID: img.ID().String(), RepoTags: []string{}, RepoDigests: []string{},
		Created: c.Created, Author: c.Author, Config: c.Config, Architecture: c.Architecture,
		Variant: c.Variant, Os: c.OS, Size: img.Size(), Descriptor: img.Descriptor,
		RootFS: rootFS{Type: "layers", Layers: c.RootFS.DiffIDs},
	}
	for _, name := range img.Names {
		if name.Tag != "" {
			d.RepoTags = append(d.RepoTags, name.Familiar())
		}
	}
	for _, remote := range img.Remote {
		d.RepoDigests = append(d.RepoDigests, remote.Familiar())
	}
	if n := len(c.History); n > 0 {
		d.Comment = c.History[n-1].Comment
	}
	return d
}

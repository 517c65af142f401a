//go:build linux

package engine

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/final/internal/image"
)

// DiskUsage is how much disk one kind of thing takes.
type DiskUsage struct {
	Type              string
	Total, Active     int   // how many there are, and how many are in use
	Size, Reclaimable int64 // bytes, and those of what nobody uses
}

// DiskUsage tells how much disk everything takes.
func (e *Engine) DiskUsage() ([]DiskUsage, error) {
	containers, err := e.List()
	if err != nil {
		return nil, err
	}
	images, err := e.imageUsage(containers)
	if err != nil {
		return nil, err
	}
	written, err := e.containerUsage(containers)
	if err != nil {
		return nil, err
	}
	volumes, err := e.volumeUsage()
	return []DiskUsage{images, written, volumes}, err
}

// imageUsage counts the images: packed and unpacked layers.
func (e *Engine) imageUsage(containers []*Container) (DiskUsage, error) {
	u := DiskUsage{Type: "Images"}
	store, err := e.Images()
	if err != nil {
		return u, err
	}
	all, err := store.List()
	if err != nil {
		return u, err
	}
	users := map[string]bool{}
	for _, c := range containers {
		users[c.Image] = true
	}
	used := map[string]int64{} // what images that are in use consist of
	whole := map[string]int64{}
	for _, img := range all {
		u.Total++
		parts := e.partsOf(store, img)
		maps.Copy(whole, parts)
		if users[img.ID().String()] {
			u.Active++
			maps.Copy(used, parts)
		}
	}
	for path, size := range whole {
		u.Size += size
		if _, ok := used[path]; !ok {
			u.Reclaimable += size
		}
	}
	return u, nil
}

// partsOf are the packed and unpacked layers of an image, with their sizes.
func (e *Engine) partsOf(store *image.Store, img *image.Image) map[string]int64 {
	parts := map[string]int64{}
	for _, l := range img.Layers() {
		parts[l.Digest.String()] = l.Size
		dir := store.Layers().Path(l.DiffID)
		if size, err := sizeOf(dir); err == nil { // not every one is unpacked
			parts[dir] = size
		}
	}
	return parts
}

// containerUsage counts what containers have written.
func (e *Engine) containerUsage(containers []*Container) (DiskUsage, error) {
	u := DiskUsage{Type: "Containers", Total: len(containers)}
	for _, c := range containers {
		size, err := sizeOf(e.Upper(c))
		if err != nil {
			return u, err
		}
		u.Size += size
		if c.isUp() {
			u.Active++
		} else {
			u.Reclaimable += size
		}
	}
	return u, nil
}

// volumeUsage counts what is in volumes.
func (e *Engine) volumeUsage() (DiskUsage, error) {
	u := DiskUsage{Type: "Local Volumes"}
	store, err := e.Volumes()
	if err != nil {
		return u, err
	}
	all, err := store.List()
	if err != nil {
		return u, err
	}
	for _, v := range all {
		size, err := sizeOf(v.Path)
		if err != nil {
			return u, err
		}
		users, err := store.Users(v.Name)
		if err != nil {
			return u, err
		}
		u.Total++
		u.Size += size
		if len(users) > 0 {
			u.Active++
		} else {
			u.Reclaimable += size
		}
	}
	return u, nil
}

// sizeOf is how much disk a directory takes: files with several names once, holes not at
// all. What goes meanwhile is not counted.
func sizeOf(dir string) (size int64, err error) {
	seen := map[uint64]bool{}
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var stat unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &stat)
		}
		if path != dir && errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && !seen[stat.Ino] {
			seen[stat.Ino] = true
			size += 512 * stat.Blocks
		}
		return err
	})
	return size, err
}

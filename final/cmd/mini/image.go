package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
	"lab/final/internal/image"
)

// imageVerbs are the verbs about images. Each is also a member of `mini image`.
func imageVerbs(a *app) []*cobra.Command {
	return []*cobra.Command{
		newImages(a), newPull(a), newPush(a), newLogin(), newLogout(), newTag(a), newRmi(a),
		newHistory(a), newLayers(a), newSave(a), newLoad(a), newImport(a), newImage(a),
	}
}

// newImage makes `mini image`, with the verbs that have no name of their own at the top,
// and the others under the names that docker gives them there.
func newImage(a *app) *cobra.Command {
	list, remove := newImages(a), newRmi(a)
	list.Use, list.Aliases = strings.Replace(list.Use, "images", "ls", 1), []string{"list"}
	remove.Use, remove.Aliases = strings.Replace(remove.Use, "rmi", "rm", 1), []string{"remove"}
	members := []*cobra.Command{
		list, remove, newImagePrune(a), newImageInspect(a), newHistory(a), newLayers(a),
		newPull(a), newPush(a), newTag(a), newSave(a), newLoad(a), newImport(a),
	}
	for _, verb := range members {
		verb.GroupID = ""
	}
	family := newFamily("image", "The verbs about images, and prune and inspect", members...)
	family.GroupID = groupImages
	return family
}

// images opens the images.
func (a *app) images() (*image.Store, error) { return image.Open(a.root) }

// image finds an image, for a verb that is about one.
func (a *app) image(verb, word string) (*image.Store, *image.Image, error) {
	store, err := a.images()
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", verb, word, err)
	}
	img, err := engine.FindImage(store, word)
	if err != nil {
		return nil, nil, aboutImage(verb, word, err)
	}
	return store, img, nil
}

// aboutImage names the verb and the image that an error is about.
func aboutImage(verb, word string, err error) error {
	if missing, ok := errors.AsType[*image.NotFoundError](err); ok && missing.Name == word {
		return fmt.Errorf("%s: %w", verb, err) // it names the image itself
	}
	return fmt.Errorf("%s %s: %w", verb, word, err)
}

// bytesText writes a number of bytes as docker does: three digits, decimal units.
func bytesText(n int64) string {
	value, unit := float64(n), 0
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	digits := 3
	if value < 1 {
		digits = 1
	}
	text := strconv.FormatFloat(value, 'g', digits, 64)
	return text + units[unit]
}

// age tells how long ago something was made, if that is known.
func age(when *time.Time) string {
	if when == nil || when.Unix() <= 0 {
		return "-"
	}
	return ago(time.Since(*when)) + " ago"
}

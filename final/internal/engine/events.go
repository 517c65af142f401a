//go:build linux

package engine

import (
	"maps"

	"lab/final/internal/event"
)

// Events are what has happened to the containers.
func (e *Engine) Events() event.Log { return event.Log(e.path("events")) }

// tell notes what happens to a container.
func (e *Engine) tell(c *Container, action string, more map[string]string) {
	about := map[string]string{"image": c.Config.Image, "name": c.Name}
	maps.Copy(about, c.Config.Labels)
	maps.Copy(about, more)
	// It happens whether or not there is room on the disk to note it.
	_ = e.Events().Add(event.Event{
		Type: "container", Action: action, Actor: event.Actor{ID: c.ID, Attributes: about},
	})
}

// tellNow notes it of a container that may have got another name meanwhile.
func (e *Engine) tellNow(c *Container, action string, more map[string]string) {
	if now, err := e.read(c.ID); err == nil {
		c = now // of one that is being removed we know enough
	}
	e.tell(c, action, more)
}

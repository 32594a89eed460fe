package native

import (
	"testing"

	"cairn/engine/event"
)

const halfHour = 30 * 60 * 1000 // milliseconds

// The engine's rules for this dialect are what the native API promises for sessions.
func TestRules(t *testing.T) {
	r := event.NewestRule(event.Native)
	for _, c := range []struct {
		promise string
		holds   bool
	}{
		{"a track, a page, a screen, an order and a goal have a session", r.InSession(event.Track) && r.InSession(event.Page) && r.InSession(event.Screen) && r.InSession(event.Order) && r.InSession(event.Goal)},
		{"a session id is a name within its visitor, for 24 hours of silence", r.NamedIdle == 48*halfHour},
		{"an event of a user alone joins a session that has a row 30:00 before or after", r.JoinWithin == halfHour},
		{"the source of a session is its earliest event with a campaign or another site's referrer", r.RowSource},
		{"an identify, a group, an alias and an increment never begin one", !r.InSession(event.Identify) && !r.InSession(event.Group) && !r.InSession(event.Alias) && !r.InSession(event.Increment)},
		{"29:59.999 of silence do not end a session", !r.Ends(halfHour - 1)},
		{"30:00 do", r.Ends(halfHour)},
		{"an event 30:00 older than the session's newest joins it", !r.Strays(halfHour)},
		{"one 30:00.001 older does not", r.Strays(halfHour + 1)},
		{"a later event does not set the source of a session", !r.LateSource},
		{"a bounce has fewer than two actions", !r.BouncesByViews},
		{"null erases a trait, an object replaces one", !r.DeepTraits},
		{"any increment is stored", !r.ChecksIncrements},
		{"every identify counts as activity", r.ActivePath == ""},
		{"the engine recognises no device", !r.RecognisesDevices},
		{"an answer names no session", !r.ReturnsIDs},
	} {
		if !c.holds {
			t.Errorf("the rules break the promise: %s", c.promise)
		}
	}
}

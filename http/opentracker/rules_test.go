package opentracker

import (
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect/dialecttest"
)

// The engine's rules for this dialect are what the protocol promises for users and sessions.
func TestRules(t *testing.T) {
	r := event.NewestRule(event.Opentracker)
	dialecttest.Promises(t, map[string]bool{
		"an answer names the user and the session":  r.ReturnsIDs,
		"every track has a session":                 r.InSession(event.Track),
		"29:59.999 of silence do not end a session": !r.Ends(dialecttest.HalfHour - 1),
		"30:00 do": r.Ends(dialecttest.HalfHour),
		"an event 30:00 older than the session's newest joins it": !r.Strays(dialecttest.HalfHour),
		"one 30:00.001 older does not":                            r.Strays(dialecttest.HalfHour + 1),
		"ids have 32 hex digits":                                  !r.ShortSessionIDs,
		"the engine recognises no device":                         !r.RecognisesDevices,
		"a bounce has fewer than two actions":                     !r.BouncesByViews,
	})
}

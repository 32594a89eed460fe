package openpanel

import (
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// The engine's rules for this dialect are what the protocol promises for devices, sessions
// and profiles.
func TestRules(t *testing.T) {
	r := event.NewestRule(event.OpenPanel)
	dialecttest.Promises(t, map[string]bool{
		"the engine recognises the device of a client":              r.RecognisesDevices,
		"a track and a page have a session":                         r.InSession(event.Track) && r.InSession(event.Page),
		"an identify, a group, an alias and an increment have none": !r.InSession(event.Identify) && !r.InSession(event.Group) && !r.InSession(event.Alias) && !r.InSession(event.Increment),
		"30:00 of silence do not end a session":                     !r.Ends(dialecttest.HalfHour),
		"30:00.001 do":                                              r.Ends(dialecttest.HalfHour + 1),
		"an event 30:00 older than the session's newest joins it":   !r.Strays(dialecttest.HalfHour),
		"one 30:00.001 older does not":                              r.Strays(dialecttest.HalfHour + 1),
		"an event over 15 minutes old has none":                     r.LateAfter == dialecttest.HalfHour/2,
		"the engine names sessions as the protocol does":            r.ShortSessionIDs,
		"a bounce has fewer than two page views":                    r.BouncesByViews,
		"traits are merged at any depth":                            r.DeepTraits,
		"an increment of a value that is not a number is refused":   r.ChecksIncrements,
		"the answer to an event returns no new user id":             !r.ReturnsIDs,
	})

	var b dialect.Batch
	if err := New().Decode(request(t, "POST", "/track", track(`{"name":"revenue","properties":{"__revenue":1290}}`)), &b); err != nil {
		t.Fatal(err)
	}
	if ev := &b.Records[0].Event; ev.Name != r.RevenueName || ev.Value != event.Num("1290") {
		t.Errorf("revenue is %q of %+v", ev.Name, ev.Value)
	}
}

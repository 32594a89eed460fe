package segment

import (
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// The engine's rules for this dialect are what the protocol promises for sessions and
// profiles.
func TestRules(t *testing.T) {
	r := event.NewestRule(event.Segment)
	dialecttest.Promises(t, map[string]bool{
		"a track, a page and a screen have a session":                                              r.InSession(event.Track) && r.InSession(event.Page) && r.InSession(event.Screen),
		"an identify, a group and an alias never begin one":                                        !r.InSession(event.Identify) && !r.InSession(event.Group) && !r.InSession(event.Alias),
		"a session id is a name within its visitor, for 24 hours of silence":                       r.NamedIdle == 48*dialecttest.HalfHour,
		"an event of a user alone joins a session that has a row 30:00 before or after":            r.JoinWithin == dialecttest.HalfHour,
		"the source of a session is its earliest event with a campaign or another site's referrer": r.RowSource,
		"29:59.999 of silence do not end a session":                                                !r.Ends(dialecttest.HalfHour - 1),
		"30:00 do": r.Ends(dialecttest.HalfHour),
		"an event 30:00 older than the session's newest joins it": !r.Strays(dialecttest.HalfHour),
		"one 30:00.001 older does not":                            r.Strays(dialecttest.HalfHour + 1),
		"a later event does not set the source of a session":      !r.LateSource,
		"a bounce has fewer than two actions":                     !r.BouncesByViews,
		"null erases a trait, an object replaces one":             !r.DeepTraits,
		"the engine recognises no device":                         !r.RecognisesDevices,
		"an answer names no session":                              !r.ReturnsIDs,
	})

	var b dialect.Batch
	d, req := New(nil), request(t, "POST", "/v1/identify", `{"userId":"u","context":{"active":false}}`)
	route(t, d, req)
	if err := d.Decode(req, &b); err != nil {
		t.Fatal(err)
	}
	if v := event.GetPath(b.Records[0].Event.Extra, r.ActivePath); v != event.Boolean(false) {
		t.Errorf("an identify with active false has %+v at the path of the rule", v)
	}
}

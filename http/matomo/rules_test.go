package matomo

import (
	"strings"
	"testing"

	"cairn/engine/event"
)

const halfHour = 30 * 60 * 1000 // milliseconds

// The engine's rules for this dialect are what the protocol promises for visits.
func TestRules(t *testing.T) {
	r := event.RuleAt(event.Matomo, 1)
	for _, c := range []struct {
		promise string
		holds   bool
	}{
		{"hits begin and continue visits", r.Visits},
		{"an event without a hit has no session", len(r.SessionTypes) == 0},
		{"29:59.999 of silence do not end a visit", !r.Ends(halfHour - 1)},
		{"30:00 do", r.Ends(halfHour)},
		{"heart beats lengthen a visit", r.HeartBeats},
		{"a visit shows its variables", r.VisitVariables},
		{"a later hit may set the source of the visit", r.LateSource},
		{"a bounce has fewer than two actions", !r.BouncesByViews},
		{"an answer names no visit", !r.ReturnsIDs},
		{"the engine knows visitors by their hits", !r.RecognisesDevices},
	} {
		if !c.holds {
			t.Errorf("the rules break the promise: %s", c.promise)
		}
	}

	if hit := shown(t, request(t, "GET", "/matomo.php?idsite=1&rec=1&_idts=1700000000", "")); !strings.Contains(hit, `"`+r.FirstVisitKey+`":1700000000`) {
		t.Errorf("a hit of a known visitor is %s", hit)
	}
}

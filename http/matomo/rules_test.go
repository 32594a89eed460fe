package matomo

import (
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect/dialecttest"
)

// The engine's rules for this dialect are what the protocol promises for visits.
func TestRules(t *testing.T) {
	r := event.NewestRule(event.Matomo)
	dialecttest.Promises(t, map[string]bool{
		"hits begin and continue visits":          r.Visits,
		"an event without a hit has no session":   len(r.SessionTypes) == 0,
		"29:59.999 of silence do not end a visit": !r.Ends(dialecttest.HalfHour - 1),
		"30:00 do":                                    r.Ends(dialecttest.HalfHour),
		"heart beats lengthen a visit":                r.HeartBeats,
		"a visit shows its variables":                 r.VisitVariables,
		"a later hit may set the source of the visit": r.LateSource,
		"a bounce has fewer than two actions":         !r.BouncesByViews,
		"one visit is one person":                     r.UnitesVisits,
		"an answer names no visit":                    !r.ReturnsIDs,
		"the engine knows visitors by their hits":     !r.RecognisesDevices,
	})

	if hit := shown(t, request(t, "GET", "/matomo.php?idsite=1&rec=1&_idts=1700000000", "")); !strings.Contains(hit, `"`+r.FirstVisitKey+`":1700000000`) {
		t.Errorf("a hit of a known visitor is %s", hit)
	}
}

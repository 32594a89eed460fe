package engine_test

import (
	"testing"

	"cairn/engine"
	"cairn/engine/event"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// An identify whose context says active: false tells of a person who was not
// there: their traits change, when they were last seen does not.
func TestInactiveIdentify(t *testing.T) {
	site := &engine.Site{ID: 1, Name: "shop"}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: []*engine.Site{site}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const day = 24 * 60 * 60 * 1000
	start := epoch.UnixMilli()
	for i, c := range []struct {
		user, trait, context string
		dialect              event.Dialect
		first, last          int64
	}{
		{"ada", "a", `{}`, event.Segment, 0, 0},
		{"ada", "b", `{"active":false}`, event.Segment, 0, 0},
		{"ada", "c", `{"active":true}`, event.Segment, 0, 2},
		{"ada", "d", `{"active":"false"}`, event.Segment, 0, 3},
		{"ada", "e", `{"active":false}`, event.Native, 0, 4},
		{"eve", "a", `{"active":false}`, event.Segment, 5, 5},
		{"eve", "b", `{"active":false}`, event.Segment, 5, 5},
	} {
		ev := &event.Event{Dialect: c.dialect, Type: event.Identify, User: c.user, Time: start + int64(i)*day,
			Properties: event.Object{{Key: c.trait, Value: event.Num("1")}}, Extra: event.Object{{Key: "context", Value: event.Raw(c.context)}}}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Event: ev}}, true, nil); err != nil {
			t.Fatal(err)
		}
		u, err := e.User(t.Context(), site, c.user)
		if err != nil || u.FirstSeen != start+c.first*day || u.LastSeen != start+c.last*day || u.Properties.Get(c.trait) != event.Num("1") {
			t.Errorf("event %d: %+v (%v)", i, u, err)
		}
	}
}

package engine_test

import (
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// An identify whose context has active: false describes a person who is not active. It changes
// the traits, but not LastSeen.
func TestInactiveIdentify(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
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
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
		u, err := e.User(t.Context(), &site.Site, c.user)
		if err != nil || u.FirstSeen != start+c.first*day || u.LastSeen != start+c.last*day || u.Properties.Get(c.trait) != event.Num("1") {
			t.Errorf("event %d: %+v (%v)", i, u, err)
		}
	}
}

// An increment by a number that cairn does not calculate with is rejected, in every dialect and
// also as a retry. A stored one adds nothing. Other numbers are stored as sent.
func TestIncrementsByLongNumbers(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	long := "0." + strings.Repeat("1", 200_000)
	send := func(dialect event.Dialect, typ event.Type, id string, by event.Value) *event.FieldError {
		t.Helper()
		ev := &event.Event{Dialect: dialect, Type: typ, Name: "n", User: "ada", MessageID: id, Value: by}
		out, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *ev}}}, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Err
	}
	for _, c := range []struct {
		name    string
		dialect event.Dialect
		typ     event.Type
		id      string
		by      event.Value
		refused bool
	}{
		{"within the bounds", event.Native, event.Increment, "", event.Num(strings.Repeat("1", 64)), false},
		{"65 digits", event.Native, event.Increment, "", event.Num(strings.Repeat("1", 65)), true},
		{"many digits", event.Native, event.Increment, "m1", event.Num(long), true},
		{"many digits of OpenPanel", event.OpenPanel, event.Increment, "m2", event.Num(long), true},
		{"a large exponent", event.Native, event.Increment, "", event.Num("1e-320"), true},
		{"a text, which adds nothing", event.Native, event.Increment, "", event.Str(long), false},
		{"a value that is not added", event.Native, event.Track, "", event.Num(long), false},
	} {
		err := send(c.dialect, c.typ, c.id, c.by)
		if c.refused != (err != nil) || err != nil && (err.Field != "value" || !strings.Contains(err.Msg, "at most 64 digits")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	u, err := e.User(t.Context(), &site.Site, "ada")
	if err != nil || u.Properties.Get("n") != event.Num(strings.Repeat("1", 64)) || u.Events != 3 {
		t.Errorf("%+v (%v)", u, err)
	}
	page, err := e.List(t.Context(), query.Query{Site: &site.Site, Limit: 1})
	if err != nil || page.Events[0].Value != event.Num(long) {
		t.Errorf("the value is not as sent (%v)", err)
	}
}

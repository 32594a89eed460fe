//go:build !noparquet

package export_test

import (
	"fmt"
	"slices"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
)

// A file tells nothing of deleted events that wait to be purged: it has no column for a property
// that they alone have, and their values decide no type.
func TestDeletedEventsNameNoColumn(t *testing.T) {
	for _, n := range []int{1, 60} { // in memory, and in runs
		var events []event.Event
		with := func(name, key string, v event.Value) {
			e := event.Event{Dialect: event.Native, Type: event.Track, Name: name, User: "u"}
			e.Properties.Set(key, v)
			events = append(events, e)
		}
		for i := range n {
			with("good", "plan", event.Num(fmt.Sprint(i)))
			with("bad", "secret", event.Str("x"))
			with("bad", "plan", event.Str("two"))
		}
		with("good", "plan", event.Num("7"))
		e := store(t, events...)
		if _, err := e.Delete(t.Context(), &site.Site, query.Deletion{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "name", Values: []string{"bad"}}}}); err != nil {
			t.Fatal(err)
		}
		f := exportFile(t, e, query.Export{})
		at := slices.Index(f.names, "prop.plan")
		if at < 0 || f.types[at] != "INT(64,true)" || slices.Contains(f.names, "prop.secret") || len(f.rows) != n+1 {
			t.Errorf("%d rows, columns %q of types %q", len(f.rows), f.names, f.types)
		}
		info, err := e.Fields(t.Context(), query.FieldsQuery{Report: query.Report{Site: &site.Site, Span: query.Span{To: 1 << 60}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range info.Fields {
			if field.Field == "name" && field.About != 1 || field.Field == "prop.secret" {
				t.Errorf("field %+v", field)
			}
		}
	}
}

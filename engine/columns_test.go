// These tests are about the columns of a part: those of keys that clients invent, and those
// that cairn always has.

package engine

import (
	"fmt"
	"testing"

	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2/vfs"
)

type nowhere struct{}

func (nowhere) Set(_, _ []byte) error { return nil }

// A part with the largest number of invented keys still takes all of cairn's own columns.
func TestOwnColumnsFit(t *testing.T) {
	o := index.NewMemPart(table.Format, 1, event.NumInts)
	var ints event.Ints
	o.Append(ints[:])
	cell := event.AppendCell(nil, event.Str("v"))
	for i := range index.ColumnsMax {
		o.Set(fmt.Appendf(nil, "pinvented%d", i), cell)
	}
	own := map[string]bool{"pname": true}
	for field := range check.FieldNames {
		own[field] = true
	}
	for _, key := range event.ContextKeys {
		own[event.PrefixContext+key] = true
		if event.Detected(key) {
			own[event.PrefixProperty+key] = true
		}
	}
	for field := range own {
		if o.Fits([]byte(field)) || !table.HasColumn([]byte(field)) {
			t.Errorf("%q has no column of its own", field)
		}
		o.Set([]byte(field), cell)
	}
	for _, field := range []string{"pinvented", "pnames", "xname", "xcountry", "purl"} {
		if table.HasColumn([]byte(field)) {
			t.Errorf("%q has a column of its own, but a client may invent this key", field)
		}
	}
	o.Publish()
	if err := index.Build(nowhere{}, 1, o.Snapshot(), event.NumInts, table.Format, nil, ""); err != nil {
		t.Error(err)
	}
}

// In parts written by older versions the keys of a context may share a column. Queries find
// and count them there.
func TestContextWithoutColumns(t *testing.T) {
	site, other := &Site{Site: query.Site{ID: 1, Name: "one"}}, &Site{Site: query.Site{ID: 2, Name: "two"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site, other), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	// The publisher looks at a part once more after it has answered. It has done so when the
	// other site's event is answered.
	for _, site := range []*Site{site, site, other} {
		if _, err := e.Ingest(t.Context(), []Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "n", User: "u"}}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	o := e.state(site.ID).MemPart()
	o.Lock()
	o.Set([]byte(event.PrefixContext), event.AppendCell(nil, event.Raw(`{"country":"NL","bot":true}`))) // of the newest row
	o.Unlock()
	o.Publish()
	for _, c := range []query.Cond{
		{Field: "country", Values: []string{"NL"}}, {Field: "counted.country", Values: []string{"NL"}},
		{Field: "bot", Values: []string{"true"}}, {Field: "bot", Values: []string{"false"}}} {
		page, err := e.List(t.Context(), query.Query{Site: &site.Site, Where: []query.Cond{c}, Limit: 10})
		seq := uint64(2)
		if c.Values[0] == "false" {
			seq = 1
		}
		if err != nil || len(page.Events) != 1 || page.Events[0].Seq != seq {
			t.Errorf("%v finds %d events, %v", c, len(page.Events), err)
		}
	}
	page, err := e.Counters(t.Context(), query.CounterQuery{Site: &site.Site, Property: "country", From: 1, Limit: 10})
	if err != nil || len(page.Rows) != 1 || page.Rows[0].Value != "NL" || page.Rows[0].Events != 1 {
		t.Errorf("countries %+v, %v", page.Rows, err)
	}
}

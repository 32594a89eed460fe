package engine

import (
	"context"
	"testing"
	"unsafe"

	"cairn/engine/event"
	"cairn/engine/event/eventtest"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A cached answer refers to no memory of its query. The query may be a thousand times as
// long as the answer.
func TestResultCacheKeepsNoQuery(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Reserve: -1, Sites: SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	record := Record{Site: site, Record: &event.Record{Event: event.Event{
		Dialect: event.Native, Type: event.Track, Name: "view", Segments: []string{"size"},
		Properties: event.Object{{Key: "colour", Value: event.Str("red")}, {Key: "size", Value: event.Str("large")}},
	}}}
	if _, err := e.Ingest(context.Background(), []Record{record}, true, nil); err != nil {
		t.Fatal(err)
	}
	r := eventtest.NewRequest()
	q := query.CounterQuery{Site: &site.Site, Property: r.Text("colour"), Values: []string{r.Text("red"), r.Text("blue")}, Segment: r.Text("size"), SegmentValues: []string{r.Text("large")}}
	for range 3 { // the second time partial aggregates are cached, the third time the answer
		page, err := e.Counters(context.Background(), q)
		if err != nil || len(page.Rows) != 1 || page.Rows[0].Value != "red" || page.Rows[0].Segment != "large" {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, text := range []string{page.Rows[0].Value, page.Rows[0].Segment} {
			at := uintptr(unsafe.Pointer(unsafe.StringData(text)))
			if from := uintptr(unsafe.Pointer(&r.B[0])); at >= from && at < from+uintptr(cap(r.B)) {
				t.Errorf("%q of the answer lies in memory of the query", text)
			}
		}
	}
}

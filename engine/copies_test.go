package engine

import (
	"context"
	"testing"
	"unsafe"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// request is the buffer of a request, from which texts are cut without a copy.
type request struct{ b []byte }

func (r *request) text(s string) string {
	at := len(r.b)
	r.b = append(r.b, s...)
	return unsafe.String(&r.b[at], len(s))
}

// over writes what another request may write into the buffer.
func (r *request) over() {
	for i := range r.b {
		r.b[i] = '#'
	}
}

// newRequest has a buffer that does not move.
func newRequest() *request { return &request{make([]byte, 0, 4096)} }

// A kept answer holds no part of the query it answers: that may be a thousand times as
// long.
func TestAnswersHoldNoQuery(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Reserve: -1, Sites: []*Site{site}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	record := Record{Site: site, Event: &event.Event{
		Dialect: event.Native, Type: event.Track, Name: "view", Segments: []string{"size"},
		Properties: event.Object{{Key: "colour", Value: event.Str("red")}, {Key: "size", Value: event.Str("large")}},
	}}
	if _, err := e.Ingest(context.Background(), []Record{record}, true, nil); err != nil {
		t.Fatal(err)
	}
	r := newRequest()
	q := query.CounterQuery{Site: &site.Site, Property: r.text("colour"), Values: []string{r.text("red"), r.text("blue")}, Segment: r.text("size"), SegmentValues: []string{r.text("large")}}
	for range 3 { // the second time slices are kept, the third time the answer
		page, err := e.Counters(context.Background(), q)
		if err != nil || len(page.Rows) != 1 || page.Rows[0].Value != "red" || page.Rows[0].Segment != "large" {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, text := range []string{page.Rows[0].Value, page.Rows[0].Segment} {
			at := uintptr(unsafe.Pointer(unsafe.StringData(text)))
			if from := uintptr(unsafe.Pointer(&r.b[0])); at >= from && at < from+uintptr(cap(r.b)) {
				t.Errorf("%q of the answer lies in the query", text)
			}
		}
	}
}

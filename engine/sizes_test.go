package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Sizes lists every field of the runs, and together they are all that the runs contain.
func TestMeasureSizes(t *testing.T) {
	fs := vfs.NewMem()
	site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), Reserve: -1, Memory: 32 << 20, SealRows: 1000, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		var records []engine.Record
		for i := range 1000 {
			records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{
				Dialect: event.Native, Type: event.Track, Name: "view", User: fmt.Sprintf("u%d", i%50), MessageID: fmt.Sprintf("%032x", n*1000+i),
				Properties: event.Object{{Key: "plan", Value: event.Str([]string{"free", "pro"}[i%2])}},
			}}})
		}
		if _, err := e.Ingest(context.Background(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for tries := 0; e.Stats().HotEvents > 0 && tries < 500; tries++ {
		time.Sleep(10 * time.Millisecond)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := check.Measure(fs, "data")
	if err != nil || s.Events != 3000 || s.Sealed != 3000 || s.Runs != 3 || s.Totals == 0 || s.Filters == 0 || s.Headers == 0 || s.Counts == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	sum := s.Totals + s.Filters + s.Headers + s.Counts
	fields := map[string]check.FieldSize{}
	for _, f := range s.Fields {
		fields[f.Field] = f
		sum += f.Total()
	}
	if fields["message_id"].Lists == 0 || fields["user"].Cells == 0 || fields["prop.plan"].Rows == 0 || fields["received"].Rows == 0 {
		t.Errorf("fields %+v", s.Fields)
	}
	if sum > s.Tables || sum < s.Tables*2/3 {
		t.Errorf("%d bytes of fields in tables of %d: %+v", sum, s.Tables, s)
	}
}

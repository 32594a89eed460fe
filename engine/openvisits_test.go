// Visits that go on over more parts than memory holds them for.

package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// More visits that go on over parts than memory holds are counted in shares. When there are too many
// for the largest number of shares, the report is refused, and says which parameter to narrow. One
// share is enough while half of the memory of reports is free, whatever the pairs take.
func TestTooManyOpenVisits(t *testing.T) {
	const visits = 12_000
	fs := vfs.NewMem()
	begin := func(pairs int, memory int64) *engine.Engine {
		e, err := engine.Open(engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(storySite), Reserve: -1, SealRows: 6000, MergeRuns: 1000, Pairs: pairs, Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := begin(0, 0)
	for row := range 2 { // the second rows of all visits come after the first ones
		for from := 0; from < visits; from += 2000 {
			var records []engine.Record
			for i := range 2000 {
				ev := event.Event{Dialect: event.Native, Type: event.Page, Anonymous: fmt.Sprint("a", from+i), Time: storyDay.Add(time.Duration(row) * time.Minute).UnixMilli()}
				records = append(records, engine.Record{Site: storySite, Record: &event.Record{Event: ev}})
			}
			if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	q := query.VisitsQuery{Report: storyReport(1), NoMedian: true}
	for _, c := range []struct {
		pairs  int
		memory int64 // 0 = the default
		want   string
	}{
		{0, 0, "12000 visits of 24000 views by 12000"},
		{100_000, 0, "12000 visits of 24000 views by 12000"},
		{1, 0, "12000 visits of 24000 views by 12000"},
		{100_000, 512 << 10, "12000 visits of 24000 views by 12000"},
		{1, 512 << 10, "range: too many visits"},
	} {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = begin(c.pairs, c.memory)
		a, err := e.VisitReport(t.Context(), q)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(a.Total.Visits, " visits of ", a.Total.VisitViews, " views by ", a.Total.Visitors)
		}
		if bad := new(query.BadParameter); !strings.Contains(got, c.want) || err != nil && !errors.As(err, &bad) {
			t.Errorf("with %d pairs and %d bytes: %s, want %s", c.pairs, c.memory, got, c.want)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

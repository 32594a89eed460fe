package engine_test

import (
	"fmt"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A session of many weeks with a page every 20 hours, the oldest received last. Its entry and
// exit are the first and last pages by event time. The milliseconds of 25 days do not fit into
// an int of 32 bits.
func TestSessionOfManyWeeks(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const pages = 100
	for i := pages - 1; i >= 0; i-- {
		at := epoch.Add(time.Duration(i-pages) * 20 * time.Hour).UnixMilli()
		page := &event.Event{Dialect: event.Native, Type: event.Page, Name: fmt.Sprint("page ", i), User: "ada", Session: "s", Time: at}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *page}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := e.Session(t.Context(), &site.Site, "s")
	if err != nil || s.Entry != "page 0" || s.Exit != fmt.Sprint("page ", pages-1) || s.Events != pages {
		t.Errorf("%d events from %q to %q, %v", s.Events, s.Entry, s.Exit, err)
	}
}

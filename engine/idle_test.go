// Many small sites: their events in memory are bounded in bytes, not only in number, and no
// sealed event is lost.

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

func TestManySmallSites(t *testing.T) {
	sites := make([]*engine.Site, 1000)
	for i := range sites {
		sites[i] = &engine.Site{Site: query.Site{ID: uint32(i + 1), Name: fmt.Sprint("site", i)}}
	}
	fs := vfs.NewMem()
	options := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(sites...), Reserve: -1, Memory: 16 << 20, Fatal: func(err error) { t.Error(err) }}
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for round := range 2 {
		for lo := 0; lo < len(sites); lo += 100 {
			var records []engine.Record
			for _, site := range sites[lo : lo+100] {
				for n := range 2 {
					records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{
						Dialect: event.Native, Type: event.Track, Name: "view", User: "u", MessageID: fmt.Sprint(round, n), Value: event.Num(fmt.Sprint(round)),
					}}})
				}
			}
			if _, err := e.Ingest(ctx, records, true, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The part of a site takes about 20 KiB, so 4 MiB hold two hundred sites.
	few := func() bool { return e.Stats().HotEvents < 1500 }
	for tries := 0; !few() && tries < 1000; tries++ {
		time.Sleep(10 * time.Millisecond)
	}
	st := e.Stats()
	if !few() || st.Runs < 400 {
		t.Errorf("%d events wait in memory, %d runs", st.HotEvents, st.Runs)
	}
	sum := func() (events int) {
		for _, site := range sites {
			n, err := e.Count(ctx, query.Query{Site: &site.Site})
			if err != nil || n.Users != 1 {
				t.Fatalf("%s: %+v, %v", site.Name, n, err)
			}
			events += int(n.Events)
		}
		return events
	}
	if n := sum(); n != 4*len(sites) {
		t.Errorf("%d events", n)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := check.Store(ctx, fs, "data"); err != nil || len(report.Problems) > 0 || report.Sites != len(sites) {
		t.Fatalf("check: %+v, %v", report, err)
	}
	if e, err = engine.Open(options); err != nil {
		t.Fatal(err)
	}
	if n := sum(); n != 4*len(sites) {
		t.Errorf("%d events after opening again", n)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

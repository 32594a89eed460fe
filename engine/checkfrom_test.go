package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A check that is cut off says where to go on. Checks that go on where the one before was cut off
// look at each run once, and find a damaged one.
func TestCheckGoesOn(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	sites := []*engine.Site{{Site: query.Site{ID: 1, Name: "one"}}, {Site: query.Site{ID: 2, Name: "two"}}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(sites...), Reserve: -1, SealRows: 20, MergeRuns: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		for _, site := range sites {
			ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "a", User: fmt.Sprint("u", i%7), Time: epoch.UnixMilli() + int64(i)}
			if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
				t.Fatal(err)
			}
		}
		for tries := 0; i%20 == 19 && e.Stats().Runs < int64(i/10) && tries < 1000; tries++ {
			time.Sleep(time.Millisecond)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// all checks the store one run at a time, and returns where each check began and what it found.
	all := func() (places []check.Place, runs int, problems []string) {
		var from check.Place
		for {
			ctx, cancel := context.WithCancel(t.Context())
			report, err := check.With(ctx, check.Options{Dir: "data", FS: fs, From: from, Progress: func(done, of uint64) { cancel() }})
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			places, runs, problems = append(places, from), runs+report.Runs, append(problems, report.Problems...)
			if from = report.Next; from == (check.Place{}) || len(places) > 50 {
				return places, runs, problems
			}
		}
	}
	places, runs, problems := all()
	whole, err := check.With(t.Context(), check.Options{Dir: "data", FS: fs})
	if err != nil || len(whole.Problems) > 0 || whole.Next != (check.Place{}) || whole.Runs < 6 {
		t.Fatalf("%+v, %v", whole, err)
	}
	if runs != whole.Runs || len(problems) > 0 {
		t.Errorf("%d runs were checked from %v, want %d; %q", runs, places, whole.Runs, problems)
	}
	if !slices.IsSortedFunc(places, func(a, b check.Place) int { return int(a.Site)*1000 + int(a.Seq) - int(b.Site)*1000 - int(b.Seq) }) {
		t.Errorf("places %v", places)
	}
	damageLastRun(t, fs)
	if _, _, problems := all(); !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, "checksum") }) {
		t.Errorf("with a damaged run: %q", problems)
	}
}

// damageLastRun changes a value of the run with the greatest id.
func damageLastRun(t *testing.T, fs vfs.FS) {
	t.Helper()
	db, err := pebble.Open(store.Dir(fs, "data"), &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{index.PrefixRun}, UpperBound: []byte{index.PrefixRun + 1}})
	if err != nil || !it.Last() {
		t.Fatal(err)
	}
	key, value := slices.Clone(it.Key()), slices.Clone(it.Value())
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Set(key, append(value, 0), pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

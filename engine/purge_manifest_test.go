// Pebble notes the first and the last key of each table in its MANIFEST, and keys have ids.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// After a purge at once the ids of deleted events are not in a MANIFEST either.
func TestPurgedIDIsNoBound(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	e, err := engine.Open(engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(purgeSite), SealRows: 4096, Purge: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	const n, batch = 20_000, 1000
	for i := 0; i < n; i += batch {
		var records []engine.Record
		for range batch {
			user := fmt.Sprintf("%016x-%s", rng.Uint64(), marker)
			for range 8 { // so that the ids take several tables
				user += fmt.Sprintf("%016x", rng.Uint64())
			}
			records = append(records, engine.Record{Site: purgeSite, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprint(i), User: user, Time: 1_700_000_000_000}}})
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	bounds := func() (names []string) {
		for _, name := range filesWith(t, fs, "data", []byte(marker)) {
			if strings.Contains(name, "MANIFEST") {
				names = append(names, name)
			}
		}
		return names
	}
	purge := func(d query.Deletion) {
		t.Helper()
		d.Kind = query.DeleteFilter
		r, err := e.Delete(t.Context(), &purgeSite.Site, d)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := e.WaitPurged(ctx, &purgeSite.Site, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	purge(query.Deletion{Where: []query.Cond{{Field: "name", Values: []string{"0"}}}}) // a compaction makes tables with ids at their ends; not at once, so the MANIFEST stays
	if len(bounds()) == 0 {
		t.Fatal("no id is the bound of a table")
	}
	purge(query.Deletion{To: 1_800_000_000_000, Now: true})
	if names := filesWith(t, fs, "data", []byte(marker)); len(names) > 0 {
		t.Errorf("the marker is in %v", names)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Runs go straight into the lowest level and are never compacted, however often the log and
// the ids are.
func TestRunsAreNotCompacted(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{
		Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, Memory: 1 << 20, // memtables of 64 KiB
		SealRows: 200, MergeRuns: 3, MergeRows: 5000, Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const events = 20_000
	for n := 0; n < events; n += 100 {
		var records []Record
		for i := n; i < n+100; i++ {
			records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{
				Dialect: event.Native, Type: event.Track, Name: "n", User: fmt.Sprintf("user %d", i/3), MessageID: fmt.Sprintf("m%d", i),
			}}})
		}
		if _, err := e.Ingest(context.Background(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	enough := func() bool {
		m, st := e.db.Metrics(), e.Stats()
		return st.HotEvents <= 400 && st.Merges >= 3 && m.Flush.Count >= 5 && m.Compact.Count >= 1
	}
	for tries := 0; !enough() && tries < 500; tries++ {
		time.Sleep(10 * time.Millisecond)
	}
	e.merger.stop()
	e.sealer.stop()
	m, st := e.db.Metrics(), e.Stats()
	t.Logf("%d seals, %d merges, %d flushes, %d compactions", st.Seals, st.Merges, m.Flush.Count, m.Compact.Count)
	if !enough() {
		t.Fatal("too few seals, merges, flushes or compactions happened")
	}
	for level := range m.Levels {
		if got := m.Levels[level].TablesIngested; level < 6 && got > 0 || level == 6 && got < st.Seals+st.Merges {
			t.Errorf("%d of %d tables went into level %d", got, st.Seals+st.Merges, level)
		}
	}
}

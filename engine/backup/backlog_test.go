package backup_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/backup"
	"cairn/engine/event"
)

// While a bucket is away, more waits than one object has. Afterwards each moment of that time can be
// restored: it has the events that were received by then, and says so if some of them are missing.
func TestMomentsOfABacklog(t *testing.T) {
	defer backup.SmallObjects(1 << 10)()
	mem := backup.NewMem()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := start
	data := filepath.Join(t.TempDir(), "data")
	e, err := engine.Open(engine.Options{Dir: data, Sites: engine.SitesOf(site), Reserve: -1, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := &world{t: t, data: data, engine: e, bucket: mem, log: new(lines)}
	w.change = func(o *backup.Options) { o.Now = func() time.Time { return start } }
	_, stop := w.start()
	eventually(t, "the snapshot of the start", func() bool { return len(mem.Names(backup.SnapPrefix)) == 1 })
	stop()
	src, err := e.LogSource()
	if err != nil {
		t.Fatal(err)
	}
	v := &backup.Vault{Bucket: mem}
	shipper := backup.NewShipper(v, src, false, slog.New(slog.DiscardHandler))
	ship := func() {
		t.Helper()
		if err := shipper.Ship(t.Context()); err != nil && !errors.Is(err, backup.ErrGap) { // the chain has just begun
			t.Fatal(err)
		}
	}
	ship()
	const seconds = 40
	for range seconds {
		at = at.Add(time.Second)
		r := engine.Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: strings.Repeat("n", 200), User: "u"}}}
		if _, err := e.Ingest(context.Background(), []engine.Record{r}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	ship()
	names := mem.Names(backup.LogPrefix)
	if len(names) < 5 {
		t.Fatalf("only %q", names)
	}
	restore := func(mem *backup.Mem, until time.Time) *backup.Restored {
		t.Helper()
		r, err := backup.Restore(t.Context(), &backup.Vault{Bucket: mem}, backup.RestoreOptions{Dir: filepath.Join(t.TempDir(), "restored"), At: until, Replay: backup.ReplayLog})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for second := 0; second <= seconds; second += 5 {
		until := start.Add(time.Duration(second)*time.Second + 500*time.Millisecond)
		r := restore(mem, until)
		if whole := second == seconds; r.Events() != uint64(second) || !whole && (r.Replayed.Why != "" || !r.Replayed.Until.Equal(until)) {
			t.Errorf("after %d s: %d events up to %s: %s", second, r.Events(), r.Replayed.Until, r.Replayed.Why)
		}
	}
	// The process ended before all objects were stored.
	last := names[len(names)-1]
	mem.Change(last, func([]byte) []byte { return nil })
	for _, until := range []time.Time{start.Add((seconds - 1) * time.Second), {}} {
		if r := restore(mem, until); r.Replayed.Why == "" || !r.Replayed.Until.Equal(start) {
			t.Errorf("without %s: %d events up to %s: %q", last, r.Events(), r.Replayed.Until, r.Replayed.Why)
		}
	}
	m, err := backup.Newest(t.Context(), v, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if spans, err := backup.Spans(t.Context(), v, []*backup.Manifest{m}); err != nil || !spans[0].To.Equal(start) {
		t.Errorf("%+v, %v", spans, err)
	}
}

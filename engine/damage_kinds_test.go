// Damage that no checksum of Pebble's finds, because the bytes were wrong when they were
// written: each kind of record that a read meets names its site or its run, and is in Stats.

package engine_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/store"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

func TestDamageNamesItsPlace(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	for _, c := range []struct {
		what     string
		from, to []byte // of the keys whose values are cut
		place    string // what the error names
	}{
		{"progress of ids", store.IDsUpToKey(1), store.IDsUpToKey(2), "ids of site 1"},
		{"links", store.SiteKey(store.PrefixLink, 1), store.SiteKey(store.PrefixLink, 2), "links of site 1"},
		{"descriptors", []byte{index.PrefixDescriptor}, []byte{index.PrefixDescriptor + 1}, "list of runs of site 1"},
		{"pages and headers of runs", []byte{index.PrefixRun}, []byte{index.PrefixRun + 1}, "run "},
		{"incarnations", store.Key("incarnations"), store.Key("incarnationt"), "list of incarnations"},
		{"names", store.Key("names"), store.Key("namet"), "names of the sites"},
	} {
		fs := good.mem(t)
		db, err := pebble.Open("data/store", &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
		if err != nil {
			t.Fatal(err)
		}
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: c.from, UpperBound: c.to})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ok := it.First(); ok; ok = it.Next() {
			if v := it.Value(); len(v) > 1 {
				n++
				if err := db.Set(append([]byte{}, it.Key()...), append([]byte{}, v[:len(v)-1]...), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := it.Close(); err != nil || n == 0 {
			t.Fatalf("%s: %d keys, %v", c.what, n, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		e, err := engine.Open(w.options(fs, rand.New(rand.NewPCG(8, 3))))
		if err == nil {
			var told []string
			if _, err = visibleLines(e, w.sites); err == nil {
				r := w.begin() // ids are read when events come in
				for range 40 {
					if _, err = e.Ingest(t.Context(), copyRecords(r.records), true, nil); err != nil {
						break
					}
					r = w.begin()
				}
			}
			if err != nil {
				e.NoteDamage(err)
			}
			told = e.Stats().Damaged
			_ = e.Close()
			if !strings.Contains(strings.Join(told, ", "), c.place) {
				t.Errorf("%s: /healthz names %q, not %q; the error is %v", c.what, told, c.place, err)
			}
		}
		if err == nil || store.Damaged(err) == nil || !strings.Contains(err.Error(), c.place) {
			t.Errorf("%s: %v does not name %q", c.what, err, c.place)
		}
	}
}

// A damaged block of ids stops the events that need it, and no others. The store goes on.
func TestIngestOverDamagedIDs(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	refused, stored := 0, 0
	for _, name := range good.names() {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		for at := 0; at < len(good[name]); at += 2048 {
			bad := append([]byte{}, good[name]...)
			clear(bad[at:min(at+64, len(bad))])
			fatal := make(chan error, 8)
			options := w.options(good.with(name, bad).mem(t), rand.New(rand.NewPCG(8, 3)))
			options.Fatal = func(err error) { fatal <- err }
			e, err := engine.Open(options)
			if err != nil {
				continue
			}
			for range 30 {
				switch _, err := e.Ingest(t.Context(), copyRecords(w.begin().records), true, nil); {
				case err == nil:
					stored++
				case store.Damaged(err) == nil:
					t.Errorf("%s zeroed at %d: %v does not report damage", name, at, err)
				default:
					refused++
				}
			}
			select {
			case err := <-fatal:
				t.Errorf("%s zeroed at %d: the store stopped: %v", name, at, err)
			default:
				_ = e.Close()
			}
		}
	}
	t.Logf("%d requests stored, %d refused", stored, refused)
	if stored == 0 || refused == 0 {
		t.Error("the trials cover too little")
	}
}

// The record of an id that was written wrong has the right checksum, so no start finds it. The
// requests that need it are refused, and the store goes on.
func TestIngestOverAWrongID(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	refused := 0
	for n := 0; ; n += 9 {
		fs := good.mem(t)
		db, err := pebble.Open("data/store", &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
		if err != nil {
			t.Fatal(err)
		}
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixID, 1), UpperBound: store.SiteKey(store.PrefixID, 2)})
		if err != nil {
			t.Fatal(err)
		}
		found := it.First()
		for range n {
			found = found && it.Next()
		}
		if found {
			err = db.Set(append([]byte{}, it.Key()...), append([]byte{}, it.Value()[:len(it.Value())-1]...), nil)
		}
		if err := errors.Join(err, it.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		if !found {
			break
		}
		fatal := make(chan error, 8)
		options := w.options(fs, rand.New(rand.NewPCG(8, 3)))
		options.Fatal = func(err error) { fatal <- err }
		e, err := engine.Open(options)
		if err != nil {
			continue // the rows that are replayed need it
		}
		for range 30 {
			for _, r := range w.begin().records {
				if _, err := e.Ingest(t.Context(), copyRecords([]engine.Record{r}), true, nil); err != nil {
					if refused++; store.Damaged(err) == nil || !strings.Contains(err.Error(), "ids of site 1") {
						t.Errorf("id %d: %v does not name the ids of the site", n, err)
					}
				}
			}
		}
		select {
		case err := <-fatal:
			t.Errorf("id %d: the store stopped: %v", n, err)
		default:
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if refused == 0 {
		t.Error("no request needed a wrong id")
	}
}

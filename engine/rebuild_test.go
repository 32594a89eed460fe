// A store whose list of tables is damaged, and of which no copy is left, is saved from its
// tables and logs: nothing that they have is lost, nothing is there twice.

package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/repair"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// withoutNotes is a store as an older cairn leaves it, and the name of its manifest.
func withoutNotes(f files) (older files, manifest string) {
	older = maps.Clone(f)
	maps.DeleteFunc(older, func(name string, _ []byte) bool { return strings.HasPrefix(name, store.SpareName+"/") })
	for _, name := range f.names() {
		if strings.HasPrefix(name, "store/MANIFEST-") && name > manifest {
			manifest = name
		}
	}
	return older, manifest
}

func eventLines(lines []string) (events []string) {
	for _, l := range lines {
		if strings.Contains(l, "MessageID=") {
			events = append(events, l)
		}
	}
	return events
}

func TestRepairWithoutListOfTables(t *testing.T) {
	t.Parallel()
	w, good, want := closedStore(t)
	older, manifest := withoutNotes(good)
	text := good[manifest]
	try := func(what string, bad files) {
		t.Helper()
		lost, err := tryRepair(t, w, bad, want, eventLines(want))
		if err != nil || lost > 0 {
			t.Errorf("%s: %d events are lost, %v", what, lost, err)
		}
	}
	stride := 307
	if testing.Short() {
		stride = 911
	}
	for at := 0; at < len(text); at += stride {
		bad := slices.Clone(text)
		bad[at] ^= 1
		try(fmt.Sprintf("byte %d of %d flipped", at, len(text)), older.with(manifest, bad))
		try(fmt.Sprintf("cut to %d bytes", at), older.with(manifest, text[:at:at]))
	}
	try("removed", older.with(manifest, nil))
	spare := strings.Replace(manifest, store.Name+"/", store.SpareName+"/", 1)
	if good[spare] == nil {
		t.Fatalf("%s is missing", spare)
	}
	zero := make([]byte, len(text))
	try("zeroed, and its copy too", good.with(manifest, zero).with(spare, zero))
}

// The same after a power cut, which leaves tables that a compaction has replaced, and logs
// whose rows are in tables.
func TestRepairWithoutListAfterPowerCut(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		w := newWorkload(rand.New(rand.NewPCG(seed, 21)))
		fs := newCrashable()
		options := w.options(fs, rand.New(rand.NewPCG(seed, 22)))
		options.SealRows, options.HotEvents = 20, 60
		e, err := engine.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		w.run(e, 1, 60, never)
		cut := fs.clone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(seed, 23))})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		older, manifest := withoutNotes(readFiles(t, cut, "data"))
		options.FS = older.mem(t)
		if e, err = engine.Open(options); err != nil {
			t.Fatal(err)
		}
		want, err := visibleLines(e, w.sites)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		lost, err := tryRepair(t, w, older.with(manifest, []byte("nothing")), want, eventLines(want))
		if err != nil || lost > 0 {
			t.Errorf("seed %d: %d events are lost, %v", seed, lost, err)
		}
	}
}

// What cannot be known is said.
func TestRepairWithoutListSaysSo(t *testing.T) {
	t.Parallel()
	_, good, _ := closedStore(t)
	older, manifest := withoutNotes(good)
	report, err := repair.Store(t.Context(), older.with(manifest, nil).mem(t), "data", "new")
	if err != nil {
		t.Fatal(err)
	}
	text := report.Text()
	for _, words := range []string{"the list of tables is lost", "cannot be known", "computed again"} {
		if !strings.Contains(text, words) {
			t.Errorf("the report does not say %q:\n%s", words, text)
		}
	}
}

// Events that are lost at the end of a site leave no gap. The number of events that the store
// surely had tells of them.
func TestRepairCountsWhatIsLostAtTheEnd(t *testing.T) {
	t.Parallel()
	for range 20 {
		_, good, want := closedStore(t)
		cut := good
		for _, name := range good.names() {
			if strings.HasSuffix(name, ".log") {
				cut = cut.with(name, nil)
			}
		}
		report, err := repair.Survey(t.Context(), cut.mem(t), "data")
		if err != nil {
			t.Fatal(err)
		}
		// A run may be in a table while an earlier one is in the log only. The lost rows of that
		// one are a gap, which has a line of its own.
		saved, all := report.Events, len(eventLines(want))
		for site := range report.Lost {
			saved += report.Lost.Count(site)
		}
		if saved == uint64(all) {
			continue // all of the log was in tables already, but for gaps
		}
		if gone := fmt.Sprintf("at least %d more are lost", all-int(saved)); !strings.Contains(report.Text(), gone) {
			t.Errorf("%d of %d events are saved or in a list; the report does not say %q:\n%s", saved, all, gone, report.Text())
		}
		return
	}
	t.Error("no store of 20 had events in its log alone")
}

// A repaired store opens again and again, and a second repair knows what the first one has
// lost: at the end of a site, and where all events of a site are lost.
func TestRepairOfARepairedStore(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	fs := good.mem(t)
	if _, err := repair.Store(t.Context(), fs, "data", "first"); err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenPebble("first/store", &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
	if err != nil {
		t.Fatal(err)
	}
	last, err := store.LastSeqs(db)
	if err != nil {
		t.Fatal(err)
	}
	lost := store.Lost{1: {{First: last[1] + 1, Last: last[1] + 7}}, 3: {{First: 1, Last: 9}}}
	for site, end := range map[uint32]uint64{1: last[1] + 7, 3: 9} {
		if err := db.Set(store.IDsUpToKey(site), binary.BigEndian.AppendUint64(nil, end), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Set(store.LostKey, lost.Append(nil), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	report, err := repair.Store(t.Context(), fs, "first", "second")
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(report.Lost, lost, slices.Equal) {
		t.Errorf("the second repair says that %v are lost, not %v", report.Lost, lost)
	}
	options := w.options(fs, rand.New(rand.NewPCG(8, 3)))
	for _, dir := range []string{"first", "second"} {
		options.Dir = dir
		for start := range 3 {
			e, err := engine.Open(options)
			if err != nil {
				t.Fatalf("%s, start %d: %v", dir, start, err)
			}
			if n := e.Events()[3]; n != 9 {
				t.Errorf("%s, start %d: the next event of site 3 follows event %d, not event 9", dir, start, n)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

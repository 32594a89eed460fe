// The table of ids is written in parts: what one group carries of it is bounded in
// bytes, and so is what is in memory.

package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// logMeter is a file system that measures the most bytes the store's log takes
// between two syncs: a group.
type logMeter struct {
	vfs.FS
	now, most atomic.Int64
}

func (m *logMeter) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := m.FS.Create(name, category)
	return m.file(name, f), err
}

func (m *logMeter) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := m.FS.ReuseForWrite(from, to, category)
	return m.file(to, f), err
}

func (m *logMeter) file(name string, f vfs.File) vfs.File {
	if f == nil || !strings.HasSuffix(name, ".log") {
		return f
	}
	return &meteredLog{f, m}
}

type meteredLog struct {
	vfs.File
	meter *logMeter
}

func (f *meteredLog) Write(b []byte) (int, error) {
	f.meter.now.Add(int64(len(b)))
	return f.File.Write(b)
}

func (f *meteredLog) synced() {
	n := f.meter.now.Swap(0)
	f.meter.most.Store(max(n, f.meter.most.Load()))
}

func (f *meteredLog) Sync() error     { f.synced(); return f.File.Sync() }
func (f *meteredLog) SyncData() error { f.synced(); return f.File.SyncData() }

// aliasBatch is n alias events, each with two users of 245 bytes nobody has met before.
func aliasBatch(site *Site, from, n int) (records []Record) {
	for i := range n {
		id := func(kind string) string { return fmt.Sprintf("%s%0244d", kind, from+i) }
		records = append(records, Record{Site: site, Event: &event.Event{Dialect: event.Segment, Type: event.Alias, User: id("u"), Previous: id("p")}})
	}
	return records
}

// 4,000 aliases of long ids change 3 MB of the table. No group has more of it than a
// part and what its own request changes, whether the ids are learnt from events or, in
// a store of which none were written, from a replay.
func TestIDsAreWrittenInParts(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	meter := &logMeter{FS: vfs.NewMem()}
	open := func(part, sealRows int) *Engine {
		e, err := Open(Options{Dir: "data", FS: meter, Sites: []*Site{site}, Reserve: -1, Memory: 64 << 20, SealRows: sealRows, IDPart: part, Fatal: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	send := func(e *Engine, from, to int) {
		for ; from < to; from += 50 {
			if _, err := e.Ingest(context.Background(), aliasBatch(site, from, 50), true, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	const part, request = 200 << 10, 100 << 10
	bounded := func(when string) {
		if most := meter.most.Swap(0); most > part+request {
			t.Errorf("%s: a group takes %d bytes of the log, want at most %d", when, most, part+request)
		}
	}
	e := open(part, 4000)
	send(e, 0, 4000)
	bounded("events")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(1<<30, 1<<16)
	send(e, 4000, 8000)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	meter.most.Store(0)
	e = open(part, 4000)
	send(e, 8000, 8050)
	bounded("replay")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := Check(context.Background(), meter, "data"); err != nil || len(report.Problems) > 0 || report.Events != 8050 {
		t.Errorf("check: %+v, %v", report, err)
	}
}

// What the table has in memory is bounded in bytes, of entries that change and of those
// that are only asked for.
func TestIDsInMemory(t *testing.T) {
	db := memoryDB(t)
	ids := newIDs(db, 64<<10)
	written := 0
	group := func() {
		if !ids.due() {
			return
		}
		b := db.NewBatch()
		if err := ids.flush(b); err != nil {
			t.Fatal(err)
		}
		written = max(written, b.Len())
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		ids.evict()
	}
	most := 0
	for _, what := range []string{"new", "known"} {
		for seq := range uint64(5000) {
			site := uint32(1)
			if what == "new" {
				alias := aliasBatch(nil, int(seq), 1)[0].Event
				visit := &event.Event{Dialect: event.Native, Type: event.Track, Anonymous: alias.Previous}
				for i, e := range []*event.Event{alias, visit} {
					if _, err := ids.decide(site, 2*seq+uint64(i)+1, e, func(event.Dialect) string { return strings.Repeat("s", 32) }); err != nil {
						t.Fatal(err)
					}
				}
			} else if k, err := ids.get(site, kindUser, 0, fmt.Sprintf("u%0244d", seq)); err != nil || k == nil || k.ord != 2*seq+1 {
				t.Fatalf("user %d: %+v, %v", seq+1, k, err)
			}
			group()
			most = max(most, ids.held())
			sizes, dirty := 0, 0
			if seq%500 == 0 {
				for _, k := range ids.hot {
					if sizes += k.size(); k.dirty {
						dirty += k.size()
					}
				}
				if ids.bytes != sizes || ids.dirty != dirty {
					t.Fatalf("%d bytes and %d changed are counted, %d and %d are held", ids.bytes, ids.dirty, sizes, dirty)
				}
			}
		}
		if most > 4*ids.max+2000 {
			t.Errorf("%s ids: %d bytes in memory, want at most %d", what, most, 4*ids.max)
		}
	}
	if written > ids.part+2000 {
		t.Errorf("%d bytes are written in one go, want at most %d", written, ids.part)
	}
}

// Who began a session is remembered in bytes: long ids push out more than short ones.
func TestOwnersAreBounded(t *testing.T) {
	const most = 20_000
	for _, length := range []int{1, 250} {
		o := newOwners(most)
		for n := range 2000 {
			first := &event.Event{User: strings.Repeat("u", length)}
			o.put(1, fmt.Sprintf("%0*d", length, n), first)
		}
		held := 0
		for _, half := range []map[ownerKey]owner{o.hot, o.cold} {
			for k, who := range half {
				held += ownerOverhead + len(k.session) + len(who.user) + len(who.anonymous)
			}
		}
		if held > 2*(most+1000) || held < most {
			t.Errorf("ids of %d bytes: %d bytes are held, want about %d", length, held, 2*most)
		}
		if _, ok := o.get(1, fmt.Sprintf("%0*d", length, 1999)); !ok {
			t.Error("the newest is forgotten")
		}
	}
}

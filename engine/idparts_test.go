// These tests are about writing the table of ids in parts. The bytes that one group carries
// of the table are bounded.

package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logMeter is a file system that measures the largest number of bytes written to the store's
// log between two syncs, which is a group.
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

func (f *meteredLog) Sync() error { f.synced(); return f.File.Sync() }

func (f *meteredLog) SyncData() error { f.synced(); return f.File.SyncData() }

// aliasBatch returns n alias events. Each has two new users with ids of 245 bytes.
func aliasBatch(site *Site, from, n int) (records []Record) {
	for i := range n {
		id := func(kind string) string { return fmt.Sprintf("%s%0244d", kind, from+i) }
		records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Segment, Type: event.Alias, User: id("u"), Previous: id("p")}}})
	}
	return records
}

// 4,000 aliases of long ids change 3 MB of the table. A group carries at most one part and
// what its own request changes. This holds for ids from new events and for ids that a replay
// restores, in a store that has written none of them.
func TestIDsAreWrittenInParts(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	meter := &logMeter{FS: vfs.NewMem()}
	open := func(part, sealRows int) *Engine {
		e, err := Open(Options{Dir: "data", FS: meter, Sites: SitesOf(site), Reserve: -1, Memory: 64 << 20, SealRows: sealRows, IDPart: part, Fatal: func(err error) { t.Error(err) }})
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
	if report, err := check.Store(context.Background(), meter, "data"); err != nil || len(report.Problems) > 0 || report.Events != 8050 {
		t.Errorf("check: %+v, %v", report, err)
	}
}

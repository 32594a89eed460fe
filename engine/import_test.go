// An imported store answers as the store that was exported. This file exports the store of a
// model, imports the events into an empty store, and compares all answers
// of that with the model.

package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestImportedStore(t *testing.T) {
	var beats atomic.Int64
	t.Cleanup(func() {
		if beats.Load() == 0 {
			t.Error("no visit has a heartbeat")
		}
	})
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			importedStore(t, seed+1, &beats)
		})
	}
}

func importedStore(t *testing.T, seed uint64, beats *atomic.Int64) {
	p := newPair(t, seed)
	p.open()
	defer p.closeIfOpen()
	for p.op = 1; p.op <= 60 && !t.Failed(); p.op++ {
		p.tick()
		if p.chance(12) {
			p.now = p.now.Add(time.Duration(p.IntN(60)) * time.Hour)
			p.clock.set(p.now)
		}
		records := pick(p.generator, p.stories, p.sales)()
		for i := range records {
			if h := records[i].Hit; h != nil && h.Ping { // an export has the time of a heartbeat alone
				records[i].Event.Properties = nil
			}
		}
		p.ingestRecords(records)
		if p.chance(30) {
			p.reopen()
		}
	}
	beats.Add(int64(p.move()))
	for ; p.op <= 160 && !t.Failed(); p.op++ {
		switch n := p.IntN(14); n {
		case 0:
			p.funnel()
		case 1:
			p.retention()
		case 2:
			p.paths()
		case 3:
			shop, goals := p.shopQuery(), p.goalsQuery()
			shop.Now, goals.Now = p.now.UnixMilli(), p.now.UnixMilli()
			p.shop(*shop)
			p.goals(*goals)
		case 4:
			if p.chance(6) {
				p.check(p.dir)
			}
		default:
			p.act(50 + p.IntN(50))
		}
	}
	// The imported sessions go on.
	for range 20 {
		p.tick()
		if _, err := p.engine.Ingest(context.Background(), p.stories(), false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !t.Failed() {
		p.check(p.dir)
	}
}

// move exports the store and imports it into an empty one, which takes its place. The model gets
// the new ids. move returns how many visits have a heartbeat.
func (p *pair) move() (beats int) {
	p.now = p.now.Add(3 * time.Hour) // the clock may have been set back
	p.clock.set(p.now)
	lines := make(map[*engine.Site][][]byte)
	for _, site := range p.sites {
		text, _, _, err := exported(p.engine, query.Export{Site: &site.Site})
		if err != nil {
			p.Fatal(err)
		}
		beats += bytes.Count(text, []byte(`,"heartbeat":"`))
		lines[site] = bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	}
	p.close()
	p.fs, p.dir = vfs.NewMem(), "imported"
	p.open()
	for _, site := range p.sites {
		lines := lines[site]
		if len(p.model.of(&site.Site).events) == 0 {
			continue
		}
		s := p.model.of(&site.Site)
		for from := 0; from < len(lines); {
			to := min(from+1+p.IntN(200), len(lines))
			outcomes, err := p.engine.Ingest(context.Background(), parseImports(p.T, p.now, site, lines[from:to]), true, nil)
			if err != nil {
				p.Fatal(err)
			}
			for i, o := range outcomes {
				e := s.events[from+i]
				if o.Status != event.Stored || o.Seq != e.Seq || o.Session != e.Session {
					p.Fatalf("event %d of %s: %+v\n%s", e.Seq, site.Name, o, lines[from+i])
				}
				delete(s.byID, e.ID)
				e.ID, e.SessionSent, e.Imported, e.SessionOf = o.ID, false, true, ""
				s.byID[e.ID] = e
				if e.SessionOrd == e.Seq {
					e.SessionOf = namedSession(lines[from+i])
				}
			}
			if from = to; p.chance(10) {
				p.reopen()
			}
		}
	}
	return beats
}

func namedSession(line []byte) string {
	_, rest, _ := strings.Cut(string(line), `"session_of":"`)
	return rest[:32]
}

// parseImports reads imported events as the native API does.
func parseImports(t *testing.T, now time.Time, site *engine.Site, lines [][]byte) []engine.Record {
	t.Helper()
	var p event.Parser
	records := make([]engine.Record, len(lines))
	for i, line := range lines {
		r := new(event.Record)
		if err := p.Import(line, now.UnixMilli(), r, new(event.Import)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r.Source = event.Source{Skip: true, Known: r.Event.Imported}
		records[i] = engine.Record{Site: site, Record: r}
	}
	return records
}

package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"
)

// A part of few rows is sealed if the rows take much memory or count many values. Otherwise
// sealing it later would take many times that memory and delay the writers of all sites.
func TestFewLargeRowsAreSealed(t *testing.T) {
	numbers := func(from, n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint(from + i)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for _, c := range []struct {
		name   string
		event  func(n int) event.Object
		sealed bool
	}{
		{"few bytes, few values", func(n int) event.Object { return event.Object{{Key: "p", Value: event.Num(fmt.Sprint(n))}} }, false},
		{"many bytes", func(n int) event.Object {
			return event.Object{{Key: "p", Value: event.Str(strings.Repeat(fmt.Sprint(n%10), 64<<10) + fmt.Sprint(n))}}
		}, true},
		{"many values", func(n int) event.Object {
			return event.Object{{Key: fmt.Sprint("p", n%4), Value: event.Raw(numbers(n*1000, 900))}}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, site := roomStore(t, 16<<20)
			defer e.Close()
			for n := range 40 {
				record := Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "e", Properties: c.event(n)}}}
				if out, err := e.Ingest(context.Background(), []Record{record}, true, nil); err != nil || out[0].Status != event.Stored {
					t.Fatal(out, err)
				}
			}
			for tries := 0; e.Stats().Seals == 0 && c.sealed && tries < 1000; tries++ {
				time.Sleep(10 * time.Millisecond)
			}
			if seals := e.Stats().Seals; (seals > 0) != c.sealed {
				t.Errorf("%d parts are sealed, want any: %t", seals, c.sealed)
			}
		})
	}
}

// The cardinality counts the memory of a set's table each time the table grows.
func TestCardinalityCountsItsTables(t *testing.T) {
	e, site := roomStore(t, 16<<20)
	defer e.Close()
	c := newCardinality(e.db, e.logUnreadable)
	sg := &siteGroup{site: e.state(site.ID)}
	c.nextEvent()
	for n := range 3000 {
		if _, err := c.count(sg, "p", 20_000, fmt.Sprint(n), 1, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	tables := 0
	for _, set := range c.sets {
		tables += slotBytes * len(set.table)
	}
	if most := tables + 4*daySetBytes; tables < slotBytes*3000 || c.n < tables || c.n > most {
		t.Errorf("%d bytes are counted, and the tables take %d", c.n, tables)
	}
	if sg.fresh != 3000 {
		t.Errorf("%d values are fresh, want 3000", sg.fresh)
	}
}

// Parts that are expensive to seal are not all sealed in one batch.
func TestSealBatchesAreBounded(t *testing.T) {
	e, site := roomStore(t, 16<<20)
	defer e.Close()
	s := &sealer{e: e}
	s.changed = sync.NewCond(&s.mu)
	state := e.state(site.ID)
	for range 8 {
		state.fresh = int(e.memory.SealValues) / 3
		s.add(state, index.NewMemPart(table.Format, 1, 1))
	}
	if n := len(s.next()); n != 3 {
		t.Errorf("%d parts are sealed in one batch, want 3", n)
	}
}

package engine_test

import (
	"fmt"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Reports of rows by fields agree with the model to the last digit, over random events with late
// rows, aliases, arrays and texts that differ in case, through seals, merges and reopening.
func TestRowReports(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			rowReports(t, seed+1)
		})
	}
}

func rowReports(t *testing.T, seed uint64) {
	g := newGenerator(seed)
	p := &pair{T: t, generator: g, fs: vfs.NewMem(), dir: "data", model: newModel(func() time.Time { return g.now })}
	p.model.namesPerDay, p.model.valuesPerDay = g.names, g.values
	p.open()
	defer func() {
		if p.engine != nil {
			p.close()
		}
	}()
	for p.op = 1; p.op <= 40 && !t.Failed(); p.op++ {
		for range 1 + g.IntN(5) {
			p.tick()
			if g.chance(8) {
				p.now = p.now.Add(time.Duration(g.IntN(60)) * time.Hour)
				p.clock.set(p.now)
			}
			p.ingestRecords(p.amounts())
		}
		if g.chance(10) {
			p.reopen()
		}
		p.rowReport()
	}
}

func (p *pair) rowReport() {
	if p.chance(2) {
		p.breakdown()
	} else {
		p.aggregate()
	}
}

// amounts makes records with many different numbers, some in arrays and some of many digits.
func (p *pair) amounts() []engine.Record {
	records := p.stories()
	for i := range records {
		e := &records[i].Event
		if p.chance(2) || e.Type == event.Identify || e.Type == event.Increment {
			continue
		}
		amount := func() string {
			return pick(p.generator, fmt.Sprint(p.IntN(200)-20), fmt.Sprintf("%d.%d", p.IntN(50), 1+p.IntN(9)), fmt.Sprintf("%d.%09d1", p.IntN(3), p.IntN(5)), fmt.Sprintf("1000000000000000%d", p.IntN(3)))
		}
		value := event.Num(amount())
		if p.chance(3) {
			value = event.Raw("[" + amount() + "," + amount() + `,{"x":1},"y",` + amount() + `,"7"]`)
		}
		e.Properties.Set("amount", value)
		if p.chance(2) && e.Dialect == event.Native {
			e.Value = event.Num(amount())
		}
	}
	return records
}

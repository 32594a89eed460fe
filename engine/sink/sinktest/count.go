package sinktest

import (
	"context"
	"maps"

	"cairn/engine/sink"
)

// This file has what a nightly check meets: a sink that counts, and that loses rows or has them twice.

// Counting is a Sink that can count its rows.
type Counting struct{ *Sink }

var _ sink.Counter = Counting{}

// Count implements sink.Counter.
func (s Counting) Count(ctx context.Context, site sink.Site, c sink.Count) (f sink.Found, err error) {
	fault, err := s.begin(ctx, "count")
	if err != nil {
		return f, err
	}
	defer s.end()
	if fault > 0 {
		return f, errCut
	}
	p, k := s.Place, key{c.Store, site.Name}
	p.counted = append(p.counted, c)
	for seq := range p.tables[k] {
		if c.First <= seq && seq <= c.Last {
			f.Rows, f.Seqs = f.Rows+1+p.twice[k][seq], f.Seqs+1
		}
	}
	return f, s.after("count")
}

// Counted returns what was counted, in its order.
func (p *Place) Counted() []sink.Count {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]sink.Count(nil), p.counted...)
}

// LoseRows loses the rows for which lost says so, and returns what gives them back.
func (p *Place) LoseRows(store uint64, site string, lost func(seq uint64, line string) bool) (giveBack func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, rows := p.tables[key{store, site}], make(map[uint64]Row)
	for seq, row := range t {
		if lost(seq, row.Line) {
			rows[seq] = row
			delete(t, seq)
		}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		maps.Copy(t, rows)
	}
}

// Double lets answers have a row once more.
func (p *Place) Double(store uint64, site string, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{store, site}
	if p.twice == nil {
		p.twice = make(map[key]map[uint64]uint64)
	}
	if p.twice[k] == nil {
		p.twice[k] = make(map[uint64]uint64)
	}
	p.twice[k][seq]++
}

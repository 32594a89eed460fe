package report

import (
	"math/rand/v2"
	"testing"

	"cairn/engine/query"
)

// naive tries the attempt that begins at each row.
func naive(a *attempts, rows []tuple) (depth, begin int) {
	for i := range rows {
		served, n := uint16(0), 0
		for j := i; j < len(rows); j++ {
			if a.window != 0 && rows[j].at()-rows[i].at() > a.window {
				break
			}
			row, step := rows[j].bits(), -1
			for k := range a.steps {
				if row&(1<<k) != 0 && served&(1<<k) == 0 && (a.mode == query.FunnelAny || k == n) {
					step = k
					break
				}
			}
			if step < 0 && j == i {
				break
			}
			if step >= 0 {
				served |= 1 << step
				n++
			} else if a.mode == query.FunnelStrict && row&blocks != 0 {
				break
			}
		}
		if n > depth {
			depth, begin = n, i
		}
	}
	return depth, begin
}

// One walk over the rows finds the same as trying each attempt by itself.
func TestAttempts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 30_000 {
		a := &attempts{steps: 2 + random.IntN(4), mode: []query.FunnelMode{query.FunnelOrdered, query.FunnelStrict, query.FunnelAny}[random.IntN(3)]}
		if random.IntN(3) > 0 {
			a.window = 1 + random.Int64N(12)
		}
		var rows []tuple
		at := int64(0)
		for range 1 + random.IntN(14) {
			at += random.Int64N(3)
			bits := uint16(random.IntN(1<<a.steps) & random.IntN(1<<a.steps))
			if a.mode == query.FunnelStrict && random.IntN(2) == 0 {
				bits |= blocks
			}
			rows = append(rows, newTuple(7, 0, at, bits))
		}
		depth, begin := a.best(rows)
		wantDepth, wantBegin := naive(a, rows)
		if depth != wantDepth || depth > 0 && begin != wantBegin {
			t.Fatalf("%s, %d steps, window %d: depth %d from row %d, want %d from %d\n%v", a.mode, a.steps, a.window, depth, begin, wantDepth, wantBegin, rows)
		}
		if depth > 0 {
			if taken := a.follow(rows, depth, begin, nil); len(taken) != depth || taken[0] != begin {
				t.Fatalf("takes %v", taken)
			}
		}
	}
}

// An entity with very many rows takes one walk, whatever the rows are.
func TestAttemptsAreLinear(t *testing.T) {
	const n = 400_000
	for _, mode := range []query.FunnelMode{query.FunnelOrdered, query.FunnelStrict, query.FunnelAny} {
		a := &attempts{steps: 3, mode: mode, window: n / 2}
		rows := make([]tuple, n)
		for i := range rows {
			rows[i] = newTuple(7, 0, int64(i), 1) // never a second step
		}
		if depth, begin := a.best(rows); depth != 1 || begin != 0 {
			t.Errorf("%s: depth %d from row %d", mode, depth, begin)
		}
		rows[n-1] = newTuple(7, 0, n-1, 2) // one that only the later attempts reach in time
		if depth, begin := a.best(rows); depth != 2 || begin != n/2-1 {
			t.Errorf("%s: depth %d from row %d", mode, depth, begin)
		}
	}
}

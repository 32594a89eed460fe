package identity

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ordinals draws ordinals that are close together, far apart, and on both sides of a page
// border.
var ordinals = rapid.OneOf(rapid.Uint64Range(0, 9), rapid.Uint64Range(65_530, 65_540), rapid.Uint64Range(0, 1<<40-1), rapid.Just(uint64(1<<40-1)))

// drawLinks joins random ordinals, both in Links and in the model. root returns the lowest
// ordinal of a person according to the model.
func drawLinks(t *rapid.T, among []uint64) (p Persons, root func(uint64) uint64) {
	l := NewLinks(nil, nil)
	m := newModelLinks()
	for range rapid.IntRange(0, 12).Draw(t, "links") {
		a, b := rapid.SampledFrom(among).Draw(t, "a"), rapid.SampledFrom(among).Draw(t, "b")
		l.Join([]Link{{a, b}}, true)
		m.join(a, b)
	}
	m.compare(t, l, among)
	return l.Persons(), m.root
}

func TestOrdSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sets [2]OrdSet
		models := [2]map[uint64]bool{{}, {}}
		for i := range sets {
			all := rapid.SliceOf(ordinals).Draw(t, "ordinals")
			var column []int64
			for _, o := range all {
				column = append(column, int64(o))
			}
			if i == 1 {
				sets[i].AddAll(column)
			}
			for _, o := range all {
				if i == 0 {
					sets[i].Add(o)
				}
				if o != 0 {
					models[i][o] = true
				}
			}
			// Two thousand ordinals make a bitmap of a page.
			first, n, step := ordinals.Draw(t, "first"), rapid.SampledFrom([]uint64{0, 0, 500, 2000}).Draw(t, "many"), rapid.Uint64Range(1, 30).Draw(t, "step")
			for k := range n {
				o := (first + (n-k)*step) % (1 << 40)
				sets[i].Add(o)
				if o != 0 {
					models[i][o] = true
				}
			}
		}
		if rapid.Bool().Draw(t, "union") {
			sets[0].Union(&sets[1])
			maps.Copy(models[0], models[1])
			sets[0].Add(5) // the set is still usable after a union
			models[0][5] = true
		}
		if rapid.Bool().Draw(t, "take") {
			sets[0].Take(&sets[1])
			maps.Copy(models[0], models[1])
			clear(models[1])
			for i, o := range []uint64{6, 7} { // both are still usable, and share nothing
				sets[i].Add(o)
				models[i][o] = true
			}
		}
		if rapid.Bool().Draw(t, "intersect") {
			sets[0].Intersect(&sets[1])
			maps.DeleteFunc(models[0], func(o uint64, _ bool) bool { return !models[1][o] })
		}
		for i := range sets {
			want := slices.Sorted(maps.Keys(models[i]))
			if got := sets[i].sorted(); !slices.Equal(got, want) || sets[i].Len() != len(want) {
				t.Fatalf("set %d has the ordinals %d and the length %d, want %d", i, got, sets[i].Len(), want)
			}
		}
		for range 20 {
			o := ordinals.Draw(t, "asked")
			if got := sets[0].Has(o); got != models[0][o] {
				t.Fatalf("Has(%d) is %v", o, got)
			}
		}
		among := append(slices.Sorted(maps.Keys(models[0])), 3, 4)
		p, root := drawLinks(t, among)
		roots := map[uint64]bool{}
		for o := range models[0] {
			roots[root(o)] = true
		}
		if got := sets[0].CountPersons(p); got != len(roots) {
			t.Fatalf("%d persons, want %d", got, len(roots))
		}
	})
}

// An ordinal of a sparse set takes few bytes. A dense set
// takes a bit for each ordinal.
func TestOrdSetBytes(t *testing.T) {
	const last = 50_000_000
	for _, c := range []struct{ ordinals, most int }{
		{1, 16}, {1000, 64 << 10}, {100_000, 1 << 20}, {400_000, 2 << 20}, {last, last/8 + 16<<10},
	} {
		var s OrdSet
		step := uint64(last / c.ordinals)
		for i := range uint64(c.ordinals) {
			s.Add(last - i*step) // the worst order
		}
		bytes := 0
		for _, p := range s.pages {
			bytes += 2 * len(p.slots)
			if p.bits != nil {
				bytes += len(p.bits) * 8
			}
		}
		if s.Len() != c.ordinals || bytes > c.most {
			t.Errorf("%d ordinals of %d: %d bytes, want at most %d", s.Len(), c.ordinals, bytes, c.most)
		}
	}
}

func TestPairSetIsASet(t *testing.T) {
	type pair struct {
		row int
		ord uint64
	}
	rapid.Check(t, func(t *rapid.T) {
		var s PairSet
		model := map[pair]bool{}
		n := rapid.SampledFrom([]int{0, 1, 10, 49, 2000}).Draw(t, "pairs")
		rows := rapid.SampledFrom([]int{1, 3, PairRowsMax}).Draw(t, "rows")
		seed := rapid.Uint64().Draw(t, "seed")
		for range n {
			seed = seed*6364136223846793005 + 1442695040888963407
			p := pair{int(seed >> 20 % uint64(rows)), seed >> 45 % 500}
			if seed>>60 == 0 {
				p.ord = 1<<40 - 1
			}
			s.Add(p.row, p.ord)
			if p.ord != 0 {
				model[p] = true
			}
		}
		compare := func(what string) {
			t.Helper()
			want, got := map[int]int{}, map[int]int{}
			for p := range model {
				want[p.row]++
			}
			s.Each(func(row int, _ uint64) { got[row]++ })
			if !maps.Equal(got, want) || s.N != len(model) {
				t.Fatalf("%s: %d pairs, by row %v; want %d, by row %v", what, s.N, got, len(model), want)
			}
		}
		compare("as added")
		among := []uint64{1, 2, 3}
		for p := range model {
			if len(among) < 20 {
				among = append(among, p.ord)
			}
		}
		slices.Sort(among)
		p, root := drawLinks(t, slices.Compact(among))
		mapped := map[pair]bool{}
		for p := range model {
			mapped[pair{p.row, root(p.ord)}] = true
		}
		model = mapped
		s.ToPersons(p)
		compare("as persons")
	})
}

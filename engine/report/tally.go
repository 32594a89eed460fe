// Tallies: how often each number was seen. Sums that need exact medians are made of them.

package report

import (
	"slices"

	"cairn/engine/query"
	"cairn/engine/read"
)

// tally counts numbers. It keeps each different number once.
type tally struct {
	limit   int        // different numbers, at most; each takes 12 bytes
	room    *read.Room // for them; nil = there is always some
	keys    []uint64   // ascending
	counts  []uint32   // of keys
	pending []uint64   // added since
}

// tallyPending is how many numbers wait at least until they are counted together.
const tallyPending = 1 << 14

// add counts a number. It fails when there are too many different ones.
func (t *tally) add(key uint64) error {
	if len(t.pending) >= max(min(tallyPending, t.limit/8), len(t.keys)/4) {
		if err := t.settle(); err != nil {
			return err
		}
	}
	t.pending = append(t.pending, key)
	return nil
}

// settle counts what was added.
func (t *tally) settle() error {
	slices.Sort(t.pending)
	fresh := 0
	i := 0
	for j, key := range t.pending {
		if j > 0 && key == t.pending[j-1] {
			continue
		}
		for i < len(t.keys) && t.keys[i] < key {
			i++
		}
		if i == len(t.keys) || t.keys[i] != key {
			fresh++
		}
	}
	from := len(t.keys) - 1
	if len(t.keys)+fresh > t.limit {
		return query.Bad("range", "more than %d different numbers; ask about a shorter time, or a split with fewer values", t.limit)
	}
	if err := t.room.Add(12 * int64(fresh)); err != nil {
		return err
	}
	t.keys = slices.Grow(t.keys, fresh)[:len(t.keys)+fresh]
	t.counts = slices.Grow(t.counts, fresh)[:len(t.counts)+fresh]
	to := len(t.keys) - 1
	for j := len(t.pending) - 1; j >= 0; { // both lists are merged from their ends
		key, n := t.pending[j], uint32(0)
		for ; j >= 0 && t.pending[j] == key; j-- {
			n++
		}
		for ; from >= 0 && t.keys[from] > key; from, to = from-1, to-1 {
			t.keys[to], t.counts[to] = t.keys[from], t.counts[from]
		}
		if from >= 0 && t.keys[from] == key {
			n += t.counts[from]
			from--
		}
		t.keys[to], t.counts[to] = key, n
		to--
	}
	t.pending = t.pending[:0]
	return nil
}

// between returns what was counted of the numbers [from, to).
func (t *tally) between(from, to uint64) (keys []uint64, counts []uint32) {
	i, _ := slices.BinarySearch(t.keys, from)
	j, _ := slices.BinarySearch(t.keys, to)
	return t.keys[i:j], t.counts[i:j]
}

// counted is a number and how often it was seen.
type counted struct {
	value int64
	n     uint64
}

// nearestRank returns the least value with at least p percent of all at or below it. values
// ascend, and there is one.
func nearestRank(values []counted, p uint64) int64 {
	total := uint64(0)
	for _, v := range values {
		total += v.n
	}
	rank, seen := (total*p+99)/100, uint64(0)
	for _, v := range values {
		if seen += v.n; seen >= rank {
			return v.value
		}
	}
	return values[len(values)-1].value
}

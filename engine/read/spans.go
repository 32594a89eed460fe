// Spans: when the sessions of some rows begin and end, and how many page views they have. Slices
// are read side by side and taken newest first. A session that did not begin in a slice waits
// until the slice comes that may have its first row: no older one has a row of it.

package read

import (
	"cmp"
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/index"
)

// visitSpan is the rows of one session that a query selects.
type visitSpan struct {
	ord         uint64
	first, last int64 // event times
	views       uint32
}

// spanPairs is how many pairs take the memory of one session that waits: its 32 bytes are in
// openSpans twice.
const spanPairs = 8

// merge adds other rows of the session.
func (s *visitSpan) merge(o *visitSpan) {
	s.first, s.last, s.views = min(s.first, o.first), max(s.last, o.last), s.views+o.views
}

// spanShare is the sessions below an ordinal of which hashed bits are n. of is a power of two.
type spanShare struct {
	n, of uint64
	below uint64 // 0 = all
}

func (s *spanShare) has(ord uint64) bool {
	return (s.below == 0 || ord < s.below) && ord*0x9e3779b97f4a7c15>>20&(s.of-1) == s.n
}

// spanSharesMax bounds how often the sessions are divided: the hash has 44 bits.
const spanSharesMax = 1 << 44

// eachSpan calls fn once with each session of the rows that satisfy pred.
func (v *view) eachSpan(pred *predicate, fn func(*visitSpan)) error {
	sp := v.budget.spill()
	defer sp.close()
	return eachSpan(sp, func(share *spanShare, take func(*spanSlice)) error {
		return readInOrder(v.budget, pred, v.rowRanges(), func(r *rangeReader, rr *rowRange) (*spanSlice, error) {
			return r.spanSlice(rr, share)
		}, func(s *spanSlice) bool {
			take(s)
			s.free()
			return true
		})
	}, fn)
}

// eachSpan calls fn once with each session of the slices that pass gives to take, newest first.
// When too many sessions wait, it goes on with half of them, and later calls pass again for the
// other half.
func eachSpan(sp *spill, pass func(share *spanShare, take func(*spanSlice)) error, fn func(*visitSpan)) error {
	shares := []spanShare{{0, 1, 0}}
	for len(shares) > 0 {
		share := shares[len(shares)-1]
		shares = shares[:len(shares)-1]
		o := openSpans{share: share, max: max(1, sp.free()/spanPairs), spill: sp, fn: fn}
		if err := pass(&share, o.take); err != nil {
			return err
		}
		for i := range o.open {
			fn(&o.open[i])
		}
		sp.giveBack(o.reserved)
		shares = append(shares, o.later...)
	}
	return nil
}

// openSpans puts the sessions of slices together.
type openSpans struct {
	share    spanShare
	later    []spanShare // the sessions that were left out
	fn       func(*visitSpan)
	open     []visitSpan // those that wait, ascending by ordinal
	spare    []visitSpan // memory of the next open
	max      int         // sessions that may wait
	spill    *spill
	reserved int // pairs of spill
}

// take adds the sessions of a slice.
func (o *openSpans) take(s *spanSlice) {
	next, open, spans := o.spare[:0], o.open, s.spans
	for len(open) > 0 || len(spans) > 0 {
		var span *visitSpan
		switch {
		case len(spans) == 0 || len(open) > 0 && open[0].ord < spans[0].ord:
			span, open = &open[0], open[1:]
		default:
			span, spans = &spans[0], spans[1:]
			if len(open) > 0 && open[0].ord == span.ord {
				span.merge(&open[0])
				open = open[1:]
			}
			if !o.share.has(span.ord) {
				continue
			}
		}
		if span.ord >= s.first {
			o.fn(span)
		} else {
			next = append(next, *span)
		}
	}
	o.open, o.spare = next, o.open
	for len(o.open) > o.max && o.share.of < spanSharesMax {
		if pairs := spanPairs * o.max; o.spill.reserve(pairs) {
			o.reserved += pairs
			o.max *= 2
		} else {
			o.divide(s.first)
		}
	}
}

// divide leaves half of the sessions out that began before the row with the seq first. The others
// have been counted.
func (o *openSpans) divide(first uint64) {
	half := spanShare{o.share.n, 2 * o.share.of, o.share.below}
	o.later = append(o.later, spanShare{o.share.n + o.share.of, 2 * o.share.of, first})
	o.share = half
	o.open = slices.DeleteFunc(o.open, func(s visitSpan) bool { return !half.has(s.ord) })
}

// spanSlice is the sessions of one slice.
type spanSlice struct {
	first  uint64      // seq of its first row
	spans  []visitSpan // ascending by ordinal
	own    []visitSpan // those that began in the slice, until it is read
	places []int32     // by ordinal less first: index in own plus 1
	older  map[uint64]int32
}

// spanSlices is the memory of slices, for use again.
var spanSlices = sync.Pool{New: func() any {
	return &spanSlice{places: make([]int32, rangeRowsMax), older: make(map[uint64]int32)}
}}

func (s *spanSlice) free() {
	s.spans, s.own = s.spans[:0], s.own[:0]
	clear(s.places)
	clear(s.older)
	spanSlices.Put(s)
}

// at returns the session of a row at a time, which may be its first.
func (s *spanSlice) at(ord uint64, time int64) *visitSpan {
	list := &s.own
	if in := ord - s.first; in < uint64(len(s.places)) {
		if i := s.places[in]; i != 0 {
			return &s.own[i-1]
		}
		s.places[in] = int32(len(s.own) + 1)
	} else {
		if i, known := s.older[ord]; known {
			return &s.spans[i]
		}
		list = &s.spans
		s.older[ord] = int32(len(s.spans))
	}
	*list = append(*list, visitSpan{ord: ord, first: time, last: time})
	return &(*list)[len(*list)-1]
}

// order puts the sessions in order once all rows are read.
func (s *spanSlice) order() {
	slices.SortFunc(s.spans, func(a, b visitSpan) int { return cmp.Compare(a.ord, b.ord) })
	for _, i := range s.places {
		if i != 0 {
			s.spans = append(s.spans, s.own[i-1])
		}
	}
}

// spanSlice reads the sessions of a row range that are in the share.
func (r *rangeReader) spanSlice(rr *rowRange, share *spanShare) (*spanSlice, error) {
	opened, err := r.open(rr)
	if opened == nil {
		return nil, err
	}
	part, s := opened.Get(), spanSlices.Get().(*spanSlice)
	s.first = rr.part.First() + uint64(rr.from)
	times, sessions := newRowInts(part.Ints(event.IntTime)), newRowInts(part.Ints(event.IntSession))
	types, isView := viewTypes(part)
	err = r.each(rr, func(rows []int32) {
		at, ords := times.of(rows), sessions.of(rows)
		var codes []int64
		if types != nil {
			codes = types.of(rows)
		}
		for i, ord := range ords {
			if ord == 0 || !share.has(uint64(ord)) {
				continue
			}
			span := s.at(uint64(ord), at[i])
			span.first, span.last = min(span.first, at[i]), max(span.last, at[i])
			if codes != nil && isView[codes[i]] {
				span.views++
			}
		}
	})
	if err == nil {
		err = opened.Err()
	}
	s.order()
	return s, err
}

// viewTypes returns the codes of the types of rows, and whether those of a code are page views.
// types is nil when no row has a type.
func viewTypes(p index.Part) (types *rowInts, isView []bool) {
	col := p.Column(event.FieldType)
	if col == nil {
		return nil, nil
	}
	isView = make([]bool, col.Card()+1)
	for code := 1; code <= col.Card(); code++ {
		t := event.Type(event.CellValue(col.Cell(uint32(code))).Text)
		isView[code] = t == event.Page || t == event.Screen
	}
	return newRowInts(col.Codes()), isView
}

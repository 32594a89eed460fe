// Slices: the visits of the rows of one slice.

package report

import (
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/engine/read"
)

// sliceVisits are the visits that have rows in one slice, as far as it has them.
type sliceVisits struct {
	first   uint64 // seq of the slice's first row
	visits  []visit
	dims    []dimValue // len(passQuestion.dims) of each visit
	list    []pageView // in the order of rows
	lists   []pageView // the same by visit, newest rows first
	origins originRoom

	places []int32 // by ordinal less first: index in visits plus 1
	older  map[uint64]int32
}

// sliceRoom is the memory of slices, for use again by other passes. A garbage collection may empty
// it, so a goroutine of a pass keeps its memory from slice to slice.
var sliceRoom = sync.Pool{New: func() any { return &sliceVisits{places: make([]int32, read.SliceRows)} }}

// olderKept is how many older visits a slice may have had whose map is used again.
const olderKept = 1 << 12

// reset forgets the visits.
func (s *sliceVisits) reset() {
	clear(s.places)
	if len(s.older) > olderKept {
		s.older = nil
	}
	clear(s.older)
	s.visits, s.dims, s.list, s.lists = s.visits[:0], s.dims[:0], s.list[:0], s.lists[:0]
	s.origins.n = 0
}

// at returns a session of the slice, a new one when it has none of that ordinal.
func (s *sliceVisits) at(ord uint64) *visit {
	if in := ord - s.first; in < uint64(len(s.places)) {
		if i := s.places[in]; i != 0 {
			return &s.visits[i-1]
		}
		s.visits = append(s.visits, visit{ord: ord, lastView: -1})
		s.places[in] = int32(len(s.visits))
		return &s.visits[len(s.visits)-1]
	}
	if i, known := s.older[ord]; known {
		return &s.visits[i]
	}
	if s.older == nil {
		s.older = make(map[uint64]int32)
	}
	s.older[ord] = int32(len(s.visits))
	s.visits = append(s.visits, visit{ord: ord, lastView: -1})
	return &s.visits[len(s.visits)-1]
}

// get returns a session of the slice, nil when it has none of that ordinal.
func (s *sliceVisits) get(ord uint64) *visit {
	if in := ord - s.first; in < uint64(len(s.places)) {
		if i := s.places[in]; i != 0 {
			return &s.visits[i-1]
		}
		return nil
	}
	if i, known := s.older[ord]; known {
		return &s.visits[i]
	}
	return nil
}

// sliceReader reads the visits of one slice.
type sliceReader struct {
	*passWorker
	*partReader
	s    *read.Slice
	to   *sliceVisits
	base uint64 // seq of row 0 of the part

	begin *read.SliceBegins

	tests []func(int) bool
	plain func(int) bool
	goal  func(int) bool
}

// textsMax is how many texts a worker numbers, and textBytesMax how many bytes they have, before
// it forgets them.
const (
	textsMax     = 1 << 17
	textBytesMax = 4 << 20
)

// readSlice reads the visits of one slice.
func (w *passWorker) readSlice(s *read.Slice) (*sliceVisits, error) {
	if w.texts == nil || w.texts.Len() > textsMax || w.texts.Bytes() > textBytesMax {
		w.texts, w.global, w.part = new(read.Terms), w.global[:0], nil
	}
	if key := s.PartKey(); w.part != key {
		w.part, w.reader = key, w.newPartReader(s)
	}
	w.slice.reset()
	w.slice.first = s.Seq(s.First())
	r := &sliceReader{passWorker: w, partReader: w.reader, s: s, to: w.slice, base: s.Seq(0), begin: w.begin.In(s)}
	if err := r.read(); err != nil || len(w.slice.visits) == 0 {
		return nil, err
	}
	return w.slice, nil
}

func (r *sliceReader) read() error {
	if r.types == nil {
		return nil
	}
	for _, sel := range r.match.tests {
		r.tests = append(r.tests, r.s.Selects(sel))
	}
	if r.match.plain != nil {
		r.plain = r.s.Selects(r.match.plain)
	}
	if r.match.goal != nil {
		r.goal = r.s.Selects(r.match.goal)
	}
	if err := r.s.Each(r.addRows); err != nil {
		return err
	}
	if err := r.addDims(); err != nil {
		return err
	}
	r.addList()
	if err := r.addBeats(); err != nil {
		return err
	}
	for i := range r.to.visits {
		if v := &r.to.visits[i]; v.began {
			v.fresh = r.judge(v)
		}
	}
	return nil
}

// addRows adds rows of one page to their visits.
func (r *sliceReader) addRows(rows []int32) {
	times, ords, who, types := r.time.Of(rows), r.ords.Of(rows), r.who.Of(rows), r.types.Of(rows)
	var hosts []int32
	var clued []bool
	if r.hosts != nil {
		hosts = r.hosts.of(rows)
		if r.clues != nil {
			clued = r.clues.of(rows)
		}
	}
	asks := len(r.tests) > 0 || r.plain != nil || r.goal != nil
	for i, row := range rows {
		ord := uint64(ords[i])
		if r.shares > 1 && shareOf(ord, r.shares) != r.share {
			continue
		}
		at := moment{times[i], r.base + uint64(row)}
		v := r.to.at(ord)
		if v.rule == nil {
			v.rule, v.first, v.last, v.selected = r.rules.at(int(row)), at, at, r.plain == nil
		} else {
			if at.before(v.first) {
				v.first = at
			}
			if !at.before(v.last) {
				v.last = at
			}
		}
		if at.seq == ord || r.begin.Is(at.seq, ord) {
			v.began, v.start = true, at.time
		}
		if person := uint64(who[i]); person != 0 && (v.person == 0 || at.before(v.personAt)) {
			v.person, v.personAt = person, at
		}
		kind := r.kinds[types[i]]
		if kind&rowAction != 0 {
			v.actions++
		}
		if asks {
			r.addTests(v, int(row))
		}
		if kind&rowView != 0 {
			r.addView(v, int(row), at, kind)
		}
		if hosts != nil && hosts[i] != 0 && hosts[i] != v.host {
			r.to.ownHost(v, hosts[i])
		}
		if clued != nil && clued[i] {
			if c := (clue{moment: at}); r.clues.at(i, int(row), &c) {
				r.to.originOf(v).take(&c)
			}
		}
	}
}

// originOf returns the origin of a visit, which it makes when there is none.
func (s *sliceVisits) originOf(v *visit) *origin {
	if v.origin == nil {
		v.origin = s.origins.next()
	}
	return v.origin
}

// ownHost notes the host of one of the urls of a visit.
func (s *sliceVisits) ownHost(v *visit, host int32) {
	if v.host == 0 {
		v.host = host
	} else {
		s.originOf(v).ownHost(host)
	}
}

// addTests notes which conditions a row satisfies.
func (r *sliceReader) addTests(v *visit, row int) {
	for i, test := range r.tests {
		if v.flags&(1<<i) == 0 && test(row) {
			v.flags |= 1 << i
		}
	}
	v.selected = v.selected || r.plain(row)
	if r.goal != nil && r.goal(row) {
		v.conversions++
		for _, id := range r.values.Terms(row) {
			if text := r.texts.Text(id); event.IsNumber(text) {
				v.value.Add(text)
			}
		}
	}
}

// addView adds a page view.
func (r *sliceReader) addView(v *visit, row int, at moment, kind uint8) {
	v.views++
	view := pageView{moment: at, prev: -1}
	if !r.list && v.views > 1 && !at.before(v.entry.moment) && (r.labels == nil || at.before(v.exit.moment)) {
		return // not the first, nor the last, of which the label alone is asked for
	}
	if r.labels != nil {
		view.label, view.host = r.labels.at(row)
	}
	if r.list {
		view.mine = r.plain == nil || r.plain(row)
		view.prev = v.lastView
		v.lastView = int32(len(r.to.list))
		r.to.list = append(r.to.list, view)
	}
	if v.views == 1 || at.before(v.entry.moment) {
		v.entry = view
		v.remembered = [2]int32{}
		if r.source && kind&rowPage != 0 {
			for i, f := range r.remembered {
				v.remembered[i] = firstTerm(f, row)
			}
		}
	}
	if v.views == 1 || !at.before(v.exit.moment) {
		v.exit = view
	}
}

// addList gives each visit its page views.
func (r *sliceReader) addList() {
	if !r.list {
		return
	}
	to := r.to
	to.lists = slices.Grow(to.lists[:0], len(to.list))
	for i := range to.visits {
		v, from := &to.visits[i], len(to.lists)
		for at := v.lastView; at >= 0; at = to.list[at].prev {
			to.lists = append(to.lists, to.list[at])
		}
		v.list = to.lists[from:len(to.lists):len(to.lists)]
	}
}

// addDims reads the dimensions of the visits: at their earliest rows, and where these lack one
// at all rows.
func (r *sliceReader) addDims() error {
	n := len(r.passQuestion.dims)
	r.to.dims = slices.Grow(r.to.dims[:0], n*len(r.to.visits))[:n*len(r.to.visits)]
	clear(r.to.dims)
	for i := range r.passQuestion.dims {
		d := &r.passQuestion.dims[i]
		if d.kind != dimField {
			continue
		}
		reader := r.partReader.dims[i]
		missing := false
		for k := range r.to.visits {
			v := &r.to.visits[k]
			row := int(v.first.seq-r.to.first) + r.s.First()
			if id := reader.at(row); id != 0 {
				r.to.dims[k*n+i] = dimValue{id, v.first}
			} else {
				missing = true
			}
		}
		if !missing || r.s.Lacks(d.field) {
			continue
		}
		err := r.s.Each(func(rows []int32) {
			for _, row := range rows {
				k := r.index(uint64(r.ords.At(int(row))))
				if k < 0 {
					continue
				}
				value := &r.to.dims[k*n+i]
				if value.id != 0 && value.at == r.to.visits[k].first {
					continue
				}
				at := moment{r.time.At(int(row)), r.base + uint64(row)}
				if value.id != 0 && !at.before(value.at) {
					continue
				}
				if id := reader.at(int(row)); id != 0 {
					*value = dimValue{id, at}
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// index returns the index of a session in the visits of the slice, -1 when it is not there.
func (r *sliceReader) index(ord uint64) int {
	if in := ord - r.to.first; in < uint64(len(r.to.places)) {
		return int(r.to.places[in]) - 1
	}
	if i, known := r.to.older[ord]; known {
		return int(i)
	}
	return -1
}

// addBeats adds the heart beats of the visits that began in the slice.
func (r *sliceReader) addBeats() error {
	beating := false
	for i := range r.to.visits {
		beating = beating || r.to.visits[i].rule.HeartBeats
	}
	if !beating {
		return nil
	}
	take := func(ord uint64, at int64) {
		if v := r.to.get(ord); v != nil {
			v.beat = at
		}
	}
	for _, i := range r.to.older { // of visits whose first rows, in older slices, are deleted
		if v := &r.to.visits[i]; v.began && v.rule.HeartBeats {
			if err := beats(r.rows, v.ord, v.ord, take); err != nil {
				return err
			}
		}
	}
	return beats(r.rows, r.to.first, r.to.first+uint64(r.s.Len())-1, take)
}

// Slices: the visits of the rows of one slice.

package report

import (
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/read"
	"cairn/index"
)

// sliceVisits are the visits that have rows in one slice, as far as it has them.
type sliceVisits struct {
	first  uint64 // seq of the slice's first row
	terms  *read.Terms
	global []int32 // by number of a text: that of the pass plus 1; 0 = not asked yet
	visits []visit
	dims   []dimValue // len(passQuestion.dims) of each visit
	list   []pageView

	places []int32 // by ordinal less first: index in visits plus 1
	older  map[uint64]int32
}

// sliceRoom is the memory of slices, for use again.
var sliceRoom = sync.Pool{New: func() any { return &sliceVisits{places: make([]int32, read.SliceRows)} }}

func (s *sliceVisits) free() {
	clear(s.places)
	clear(s.visits) // they point to origins and lists
	s.visits, s.dims, s.list, s.global, s.terms, s.older = s.visits[:0], s.dims[:0], s.list[:0], s.global[:0], nil, nil
	sliceRoom.Put(s)
}

// place returns where the index of a session is kept.
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

// Kinds of rows, by the code of their type.
const (
	rowAction = 1 << iota
	rowView
	rowPage // of type page
	rowKnown
)

// typeKinds returns the kinds of rows by the code of their type.
func typeKinds(p index.Part) (codes index.Column, kinds []uint8) {
	col := p.Column(event.FieldType)
	if col == nil {
		return nil, nil
	}
	kinds = make([]uint8, col.Card()+1)
	for code := 1; code <= col.Card(); code++ {
		t := event.Type(event.CellValue(col.Cell(uint32(code))).Text)
		kind := uint8(rowKnown)
		if slices.Contains(identity.Actions, t) {
			kind |= rowAction
		}
		if t == event.Page || t == event.Screen {
			kind |= rowView
		}
		if t == event.Page {
			kind |= rowPage
		}
		kinds[code] = kind
	}
	return col, kinds
}

// sliceReader reads the visits of one slice.
type sliceReader struct {
	*pass
	s    *read.Slice
	to   *sliceVisits
	time *read.Column
	ords *read.Column
	who  *read.Column

	types *read.Column
	kinds []uint8
	rules *ruleReader

	tests      []func(int) bool
	plain      func(int) bool
	goal       func(int) bool
	values     read.Field
	labels     *labelReader
	clues      *clueReader // nil when nobody asks where visits came from
	clued      bool        // some row of the slice may say it
	remembered [2]read.Field
}

// readSlice reads the visits of one slice.
func (p *pass) readSlice(s *read.Slice) (*sliceVisits, error) {
	to := sliceRoom.Get().(*sliceVisits)
	to.first, to.terms = s.Seq(s.First()), new(read.Terms)
	r := &sliceReader{pass: p, s: s, to: to, time: s.Ints(event.IntTime), ords: s.Ints(event.IntSession), who: s.Ints(event.IntPerson)}
	err := r.read()
	if err != nil || len(to.visits) == 0 {
		to.free()
		return nil, err
	}
	if n := to.terms.Len(); cap(to.global) < n {
		to.global = make([]int32, n)
	} else {
		to.global = to.global[:n]
		clear(to.global)
	}
	return to, nil
}

func (r *sliceReader) read() error {
	part := r.s.Part()
	col, kinds := typeKinds(part)
	if col == nil {
		return nil
	}
	r.types, r.kinds, r.rules = r.s.Codes(col), kinds, newRuleReader(r.s)
	for _, sel := range r.match.tests {
		r.tests = append(r.tests, r.s.Selects(sel))
	}
	if r.match.plain != nil {
		r.plain = r.s.Selects(r.match.plain)
	}
	if r.match.goal != nil {
		r.goal = r.s.Selects(r.match.goal)
		r.values = r.s.Field("value", r.to.terms)
	}
	if r.label != "" {
		r.labels = newLabelReader(r.s, r.label, r.hosts, r.to.terms)
	}
	if r.source {
		r.clues = newClueReader(r.s, r.own, r.to.terms)
		r.clued = r.clues.any()
		for i, key := range [...]string{"extra._rcn", "extra._rck"} {
			r.remembered[i] = r.s.Field(key, r.to.terms)
		}
	}
	if err := r.s.Each(r.addRows); err != nil {
		return err
	}
	if err := r.addDims(); err != nil {
		return err
	}
	r.addList()
	return r.addBeats()
}

// addRows adds rows of one page to their visits.
func (r *sliceReader) addRows(rows []int32) {
	times, ords, who, types := r.time.Of(rows), r.ords.Of(rows), r.who.Of(rows), r.types.Of(rows)
	for i, row := range rows {
		ord := uint64(ords[i])
		if r.shares > 1 && shareOf(ord, r.shares) != r.share {
			continue
		}
		at := moment{times[i], r.s.Seq(int(row))}
		v := r.to.at(ord)
		if v.rule == nil {
			v.rule, v.first, v.last = r.rules.at(int(row)), at, at
		} else {
			if at.before(v.first) {
				v.first = at
			}
			if !at.before(v.last) {
				v.last = at
			}
		}
		if at.seq == ord {
			v.began, v.start = true, at.time
		}
		if person := uint64(who[i]); person != 0 && (v.person == 0 || at.before(v.personAt)) {
			v.person, v.personAt = person, at
		}
		kind := r.kinds[types[i]]
		if kind&rowAction != 0 {
			v.actions++
		}
		r.addTests(v, int(row), at)
		if kind&rowView != 0 {
			r.addView(v, int(row), at, kind)
		}
		if r.clues != nil {
			r.addClue(v, int(row), at)
		}
	}
}

// addClue notes what a row says about where its visit came from, and the host of its page: a
// referrer of that host is no source.
func (r *sliceReader) addClue(v *visit, row int, at moment) {
	if host := r.clues.host(row); host != 0 {
		v.ownHost(host)
	}
	c := clue{moment: at}
	if r.clued && r.clues.at(row, &c) {
		if v.origin == nil {
			v.origin = new(origin)
		}
		v.origin.take(&c)
	}
}

// addTests notes which conditions a row satisfies.
func (r *sliceReader) addTests(v *visit, row int, _ moment) {
	for i, test := range r.tests {
		if v.flags&(1<<i) == 0 && test(row) {
			v.flags |= 1 << i
		}
	}
	if r.plain == nil || !v.selected && r.plain(row) {
		v.selected = true
	}
	if r.goal != nil && r.goal(row) {
		v.conversions++
		for _, id := range r.values.Terms(row) {
			if text := r.to.terms.Text(id); event.IsNumber(text) {
				v.value.Add(text)
			}
		}
	}
}

// addView adds a page view.
func (r *sliceReader) addView(v *visit, row int, at moment, kind uint8) {
	v.views++
	view := pageView{moment: at, prev: -1}
	if !r.list && v.views > 1 && !at.before(v.entry.moment) && at.before(v.exit.moment) {
		return // neither the first nor the last
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
	for i := range r.to.visits {
		v := &r.to.visits[i]
		for at := v.lastView; at >= 0; at = r.to.list[at].prev {
			v.list = append(v.list, r.to.list[at])
		}
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
		reader := newDimReader(r.s, d, r.to.terms)
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
				at := moment{r.time.At(int(row)), r.s.Seq(int(row))}
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
	if !slices.ContainsFunc(r.to.visits, func(v visit) bool { return v.rule.HeartBeats }) {
		return nil
	}
	return beats(r.rows, r.to.first, r.to.first+uint64(r.s.Len())-1, func(ord uint64, at int64) {
		if v := r.to.get(ord); v != nil {
			v.beat = at
		}
	})
}

// ruleReader reads the rule of a row's dialect.
type ruleReader struct {
	codes *read.Column
	rules []*event.Rule
}

func newRuleReader(s *read.Slice) *ruleReader {
	col := s.Part().Column(event.FieldDialect)
	if col == nil {
		return &ruleReader{rules: []*event.Rule{new(event.Rule)}}
	}
	r := &ruleReader{codes: s.Codes(col), rules: make([]*event.Rule, col.Card()+1)}
	r.rules[0] = new(event.Rule)
	for code := 1; code <= col.Card(); code++ {
		r.rules[code] = event.NewestRule(event.Dialect(event.CellValue(col.Cell(uint32(code))).Text))
	}
	return r
}

func (r *ruleReader) at(row int) *event.Rule {
	if r.codes == nil {
		return r.rules[0]
	}
	return r.rules[r.codes.At(row)]
}

// labelReader reads what a page view is a view of.
type labelReader struct {
	label *oneTerm   // of the context
	name  read.Field // instead, where the context lacks it; nil = nothing is
	urls  *clueReader
	host  bool // the label is the host
}

func newLabelReader(s *read.Slice, label string, hosts bool, terms *read.Terms) *labelReader {
	r := &labelReader{host: label == "host"}
	if hosts || r.host {
		r.urls = newClueReader(s, nil, terms)
	}
	switch label {
	case "page":
		r.label, r.name = newOneTerm(s, "path", terms), s.Field("name", terms)
	case "url", "title":
		r.label = newOneTerm(s, label, terms)
	}
	return r
}

// at returns the numbers of a page view's label and host plus 1; 0 = it has none.
func (r *labelReader) at(row int) (label, host int32) {
	if r.urls != nil {
		host = r.urls.host(row)
	}
	if r.host {
		return host, host
	}
	if label = r.label.at(row); label == 0 && r.name != nil {
		label = firstTerm(r.name, row)
	}
	return label, host
}

// The pass: it reads slices of rows, newest first, and puts the rows of each visit together.
//
// Slices are read side by side. A visit that did not begin in a slice waits in open until the
// slice comes in which it did: no older slice has a row of it. Where the first row of a visit is
// deleted, it begins with the oldest one that is left. Those few visits are put together in
// the order of slices, and all others are counted by the goroutine that has read them. So memory
// holds the slices under way, the visits that wait and the answer.

package report

import (
	"slices"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/referrer"
)

// passQuestion is what a pass has to find out.
type passQuestion struct {
	span   query.Span
	dims   []dim
	tests  [][]query.Cond // sets of conditions on rows; the i-th becomes flag i of a visit
	plain  []query.Cond   // conditions on rows: visit.selected; nil = all rows
	goal   []query.Cond   // nil = none
	source bool           // where visits came from
	label  string         // what page views are views of: page, url, title or host; "" = nothing
	hosts  bool           // hosts of the urls of page views
	list   bool           // all page views of a visit
}

// flagsMax is the most sets of conditions on rows.
const flagsMax = 64

// A visit that waits for its first rows takes openBytes of the memory of reports while half of
// that is free, and else so many pairs of the room that all reports share. A pass takes room for
// openAtFirst of them before the pairs of its answer come, which can go to a file, and then for
// openMore at a time. When there is no more, the pass is made several times, each for a share of
// the visits.
const (
	openBytes   = 768
	openPairs   = 48
	openAtFirst = 512
	openMore    = 64
)

// sharesMax bounds how often a pass is made.
const sharesMax = 1 << 10

// errOpen says that too many visits wait.
var errOpen = query.Bad("range", "too many visits at once go on over long times; ask for fewer days")

// sliceBytes is about what a slice takes in memory.
const sliceBytes = 6 << 20

// takeCheck is after how many visits a merge looks at the clock.
const takeCheck = 512

// pass is one reading of the rows of a span.
type pass struct {
	*passQuestion
	passUse
	rows  *read.Rows
	sel   *read.Selection // rows with a session
	match selections
	own   map[string]bool // hosts of the site
	begin read.SessionBegins

	share, shares uint64 // the sessions that this pass is for
	spare         *read.Room
	room          read.PairSets

	inTurn passWorker            // its texts are those of open
	open   map[uint64]*visitDims // visits that began in an older slice, by ordinal
	most   int                   // visits in open for which there is room
	waited []uint64              // scratch
}

// passUse is what a pass is made for.
type passUse struct {
	// restart is called when all that done was told is to be forgotten.
	restart func()
	// sink is called some times before the first visit, and again after restart. It returns a
	// done, which is called with each session of the span that began in it, once over all dones:
	// by one goroutine at a time, while others call other dones. texts are the texts that the
	// numbers in visits and dims stand for; a number is that of a text plus 1. All is valid until
	// done returns. Of different calls, the texts may differ too.
	sink func() doneFunc
	// judge says of a complete visit whether it is the first one of its visitor. Several
	// goroutines call it.
	judge func(v *visit) freshness
	// after is called when the slice that begins at the seq first was taken.
	after func(first uint64) error
}

type doneFunc func(texts *read.Terms, v *visit, dims []dimValue) error

// passWorker is what one goroutine has for a pass.
type passWorker struct {
	*pass
	done   doneFunc
	texts  *read.Terms
	global []int32 // by number of a text: that of open plus 1; 0 = not asked yet

	part   any // that reader is of
	reader *partReader
	slice  *sliceVisits // of the slice under way
}

// selections are the sets of rows that a pass tells apart.
type selections struct {
	tests []*read.Selection
	plain *read.Selection
	goal  *read.Selection
}

// visitDims is a visit and its dimensions of kind dimField.
type visitDims struct {
	visit
	dims []dimValue
}

// onePass makes a pass, and again whenever it has to begin anew, for a share of the visits at a
// time. It forgets nothing of other shares. Visits whose freshness is freshLate come in the order
// of slices; so do those with rows in several slices.
func onePass(rows *read.Rows, q *passQuestion, use passUse) error {
	for shares := uint64(1); ; shares *= 4 {
		p := &pass{passQuestion: q, passUse: use, rows: rows, own: make(map[string]bool), shares: shares}
		for _, h := range rows.Site().Hosts {
			p.own[referrer.BareHost(h)] = true
		}
		if err := p.choose(); err != nil {
			return err
		}
		slicesIn := rows.Room()
		defer slicesIn.Close()
		workers := make([]*passWorker, rows.WorkersIn(slicesIn, sliceBytes))
		for i := range workers {
			workers[i] = &passWorker{pass: p, done: use.sink(), slice: sliceRoom.Get().(*sliceVisits)}
		}
		p.inTurn = passWorker{pass: p, done: use.sink(), texts: new(read.Terms)}
		err := error(nil)
		for p.share = 0; p.share < shares && err == nil; p.share++ {
			err = p.run(workers)
		}
		for _, w := range workers {
			w.slice.reset()
			sliceRoom.Put(w.slice)
		}
		if err != errOpen || shares >= sharesMax {
			return err
		}
		use.restart()
	}
}

// run makes the pass for one share of the visits.
func (p *pass) run(workers []*passWorker) error {
	p.open, p.spare, p.room = make(map[uint64]*visitDims), p.rows.Room(), p.rows.PairSets()
	defer p.spare.Close()
	defer p.room.Close()
	if p.most = p.room.Free(); p.room.Reserve(min(openAtFirst, p.room.Most()/openPairs) * openPairs) {
		p.most += min(openAtFirst, p.room.Most()/openPairs)
	}
	for _, w := range workers {
		w.part, w.reader = nil, nil // of the goroutine before
	}
	return read.InTurn(p.sel, workers, (*passWorker).readSlice, (*passWorker).take, (*passWorker).finish)
}

// choose finds the rows that the pass tells apart.
func (p *pass) choose() (err error) {
	if p.sel, err = p.rows.Select(nil, p.span); err != nil {
		return err
	}
	if p.begin, err = p.rows.SessionBegins(); err != nil {
		return err
	}
	p.sel = p.sel.WithSession()
	one := func(where []query.Cond) *read.Selection {
		if err != nil {
			return nil
		}
		var sel *read.Selection
		sel, err = p.rows.Select(where, p.span)
		return sel
	}
	for _, where := range p.tests {
		p.match.tests = append(p.match.tests, one(where))
	}
	if len(p.plain) > 0 {
		p.match.plain = one(p.plain)
	}
	if p.goal != nil {
		p.match.goal = one(p.goal)
	}
	return err
}

// take puts those visits of a slice together that have rows in newer ones, or began in older ones.
func (w *passWorker) take(s *sliceVisits) error {
	p, n := w.pass, 0
	for _, i := range s.older {
		if n++; n%takeCheck == 0 {
			if err := p.rows.Check(); err != nil {
				return err
			}
		}
		v, dims := &s.visits[i], s.dimsOf(w, int(i))
		newer, waits := p.open[v.ord]
		if v.began && !waits {
			continue // its first row is deleted, and all that is left of it is in this slice
		}
		w.translate(v, dims)
		if v.taken = true; v.ord > s.first {
			continue // of a damaged row: a session begins with its first row
		}
		if waits {
			newer.join(v, dims)
			if v.began {
				if err := p.end(newer); err != nil {
					return err
				}
			}
			continue
		}
		if len(p.open) == p.most {
			more := openMore
			if !p.spare.Spare(openMore*openBytes) && !p.room.Reserve(more*openPairs) {
				if more = 1; !p.room.Reserve(openPairs) {
					return errOpen
				}
			}
			p.most += more
		}
		own := &visitDims{*v, append([]dimValue(nil), dims...)}
		if own.list = slices.Clone(v.list); v.origin != nil {
			own.origin = v.origin.clone()
		}
		p.open[v.ord] = own
	}
	p.findWaiting(s)
	for k, ord := range p.waited {
		if k%takeCheck == takeCheck-1 {
			if err := p.rows.Check(); err != nil {
				return err
			}
		}
		i := int(s.places[ord-s.first]) - 1
		v, dims := &s.visits[i], s.dimsOf(w, i)
		v.taken = true
		w.translate(v, dims)
		newer := p.open[ord]
		newer.join(v, dims)
		if err := p.end(newer); err != nil {
			return err
		}
	}
	for i := range s.visits {
		if v := &s.visits[i]; v.fresh == freshLate && !v.taken {
			v.taken = true
			dims := s.dimsOf(w, i)
			w.translate(v, dims)
			if err := p.inTurn.done(p.inTurn.texts, v, dims); err != nil {
				return err
			}
		}
	}
	if p.shares > 1 {
		return nil
	}
	return p.after(s.first)
}

// end takes a visit of which no row can come any more out of open, and counts it if it began.
func (p *pass) end(v *visitDims) error {
	delete(p.open, v.ord)
	if !v.began {
		return nil
	}
	v.fresh = p.judge(&v.visit)
	return p.inTurn.done(p.inTurn.texts, &v.visit, v.dims)
}

// dimsOf returns the dimensions of a visit.
func (s *sliceVisits) dimsOf(w *passWorker, i int) []dimValue {
	n := len(w.passQuestion.dims)
	return s.dims[i*n : (i+1)*n]
}

// findWaiting sets waited to the visits of a slice that wait, ascending.
func (p *pass) findWaiting(s *sliceVisits) {
	p.waited = p.waited[:0]
	if len(p.open) == 0 {
		return
	}
	if len(p.open) < len(s.visits) {
		for ord := range p.open {
			if in := ord - s.first; in < uint64(len(s.places)) && s.places[in] != 0 {
				p.waited = append(p.waited, ord)
			}
		}
		slices.Sort(p.waited)
		return
	}
	for i := range s.visits {
		if v := &s.visits[i]; !v.taken && p.open[v.ord] != nil {
			p.waited = append(p.waited, v.ord)
		}
	}
}

// finish takes all other visits of a slice.
func (w *passWorker) finish(s *sliceVisits) error {
	for i := range s.visits {
		if i%takeCheck == takeCheck-1 {
			if err := w.rows.Check(); err != nil {
				return err
			}
		}
		if v := &s.visits[i]; v.began && !v.taken {
			if err := w.done(w.texts, v, s.dimsOf(w, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// join adds what an older slice has of a visit that waits.
func (newer *visitDims) join(v *visit, dims []dimValue) {
	newer.merge(v)
	for i, d := range dims {
		if have := &newer.dims[i]; d.id != 0 && (have.id == 0 || d.at.before(have.at)) {
			*have = d
		}
	}
}

// translate replaces the numbers of the worker's texts by those of the texts of open.
func (w *passWorker) translate(v *visit, dims []dimValue) {
	for i := range dims {
		dims[i].id = w.text(dims[i].id)
	}
	for _, view := range [...]*pageView{&v.entry, &v.exit} {
		view.label, view.host = w.text(view.label), w.text(view.host)
	}
	for i := range v.list {
		v.list[i].label, v.list[i].host = w.text(v.list[i].label), w.text(v.list[i].host)
	}
	for i, id := range v.remembered {
		v.remembered[i] = w.text(id)
	}
	v.host = w.text(v.host)
	if v.origin == nil {
		return
	}
	w.translateClue(&v.origin.campaign)
	for i := range v.origin.referred {
		w.translateClue(&v.origin.referred[i])
	}
	for i, id := range v.origin.own {
		v.origin.own[i] = w.text(id)
	}
}

func (w *passWorker) translateClue(c *clue) {
	for i, id := range c.terms {
		c.terms[i] = w.text(id)
	}
	c.host = w.text(c.host)
}

// text returns the number of a text among those of open, each plus 1.
func (w *passWorker) text(id int32) int32 {
	if id == 0 {
		return 0
	}
	w.global = grown(w.global, int(id))
	if w.global[id] == 0 {
		w.global[id] = w.inTurn.texts.ID(w.texts.Text(id-1)) + 1
	}
	return w.global[id]
}

// shareOf returns which share of the visits a session is in.
func shareOf(ord, shares uint64) uint64 {
	return ord * 0x9e3779b97f4a7c15 >> 32 % shares
}

// beats calls fn with the heart beats of the visits whose ordinals are in [first, last].
func beats(rows *read.Rows, first, last uint64, fn func(ord uint64, at int64)) error {
	return identity.ScanHeartbeats(rows.DB(), rows.Site().ID, first, last, func(ord uint64, at int64) error {
		fn(ord, at)
		return rows.Check()
	})
}

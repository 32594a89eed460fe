// Carts: which visits have an order, and which carts nobody has paid for.

package report

import (
	"cmp"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// cartIdle is how long a visit must have been silent before its cart is abandoned.
const cartIdle = 30 * 60 * 1000

// A visit with a cart takes so many pairs of the room that all reports share, which is reserved for
// cartsMore of them at a time. When there is no more, the rows are read several times, each time
// for a share of the visits.
const (
	cartPairs = 24
	cartsMore = 256
)

// errCarts says that a share of the visits has too many carts.
var errCarts = query.Bad("range", "too many visits have a cart; ask for fewer days")

// cartVisit is what is known of the cart of one visit. A moment with seq 0 is none.
type cartVisit struct {
	order moment // the last order

	cart     moment // the last row of type cart
	currency int32
	value    query.Sum // that row's

	change         moment // the last row that added something or removed it
	changeCurrency int32
	sum            query.Sum // what was added since the order less what was removed, in that currency
}

// cartRow is a row of a cart, or an order.
type cartRow struct {
	ord      uint64
	at       moment
	kind     shopKind
	currency int32
	amount   string // of a cart
}

// sliceCarts are the rows of a slice.
type sliceCarts struct {
	currencies currencies
	rows       []cartRow
}

// countCarts adds what a report of visits counts: visits, those with an order, and abandoned
// carts. All rows of such a visit count, whatever conditions choose the visits.
func (c *shopCount) countCarts() error {
	counted, err := reportedVisits(c.rows, c.q.Where, c.span)
	if err != nil {
		return err
	}
	if c.visits = uint64(counted.Len()); c.visits == 0 {
		return nil
	}
	selections, err := shopRows(c.rows, nil, c.span, true)
	if err != nil {
		return err
	}
	recent, err := c.recent()
	if err != nil {
		return err
	}
	awake, err := sessionsOf(recent)
	if err != nil {
		return err
	}
	sets := c.rows.PairSets()
	defer sets.Close()
	converted := sets.New()
	room := c.rows.PairSets()
	defer room.Close()
	k := carts{shopCount: c, counted: counted, awake: awake, selections: selections, converted: converted, room: room}
	k.pending = new(identity.OrdSet)
	abandoned := make(map[int]*query.ShopTotals)
	for shares := uint64(1); ; shares *= 4 {
		clear(abandoned)
		err := error(nil)
		for share := uint64(0); share < shares && err == nil; share++ {
			room.Reset()
			k.share, k.shares = share, shares
			err = k.count(abandoned)
		}
		if err != errCarts || shares >= sharesMax {
			if err != nil {
				return err
			}
			break
		}
	}
	if err := c.findUntil(k.pending, recent); err != nil {
		return err
	}
	for currency, t := range abandoned {
		c.totals[currency].CartsAbandoned, c.totals[currency].CartsValue = t.CartsAbandoned, t.CartsValue
	}
	return converted.Each(func(currency int, _ uint64) { c.totals[currency].Converted++ })
}

// recent returns the rows later than half an hour before the end of the range, or before now; nil
// = there can be none.
func (c *shopCount) recent() (*read.Selection, error) {
	last := query.Span{From: max(c.span.From, min(c.span.To, c.q.Now)-cartIdle+1), To: c.span.To}
	if last.From >= last.To {
		return nil, nil
	}
	sel, err := c.rows.Select(nil, last)
	if err != nil {
		return nil, err
	}
	return sel.WithSession(), nil
}

// sessionsOf returns the sessions of some rows.
func sessionsOf(sel *read.Selection) (*identity.OrdSet, error) {
	all := new(identity.OrdSet)
	if sel == nil {
		return all, nil
	}
	sums, err := read.Gather(sel, func(s *read.Slice, into *identity.OrdSet) error {
		sessions := s.Ints(event.IntSession)
		return s.Each(func(rows []int32) { into.AddAll(sessions.Of(rows)) })
	})
	for i := range sums {
		all.Union(&sums[i])
	}
	return all, err
}

// pendingMax is the most carts that may be abandoned soon of which an answer looks for the first
// one. With more of them the answer is not kept.
const pendingMax = 1 << 16

// findUntil finds when the first of some carts is abandoned, unless a row comes. recent has their
// last rows.
func (c *shopCount) findUntil(pending *identity.OrdSet, recent *read.Selection) error {
	switch n := pending.Len(); {
	case n == 0:
		return nil
	case n > pendingMax:
		c.until = c.q.Now + 1
		return nil
	}
	sums, err := read.Gather(recent, func(s *read.Slice, last *map[uint64]int64) error {
		if *last == nil {
			*last = make(map[uint64]int64)
		}
		sessions, times := s.Ints(event.IntSession), s.Ints(event.IntTime)
		return s.Each(func(rows []int32) {
			at := times.Of(rows)
			for i, ord := range sessions.Of(rows) {
				if pending.Has(uint64(ord)) {
					(*last)[uint64(ord)] = max((*last)[uint64(ord)], at[i])
				}
			}
		})
	})
	if err != nil {
		return err
	}
	ends := make(map[uint64]int64)
	for _, last := range sums {
		for ord, at := range last {
			ends[ord] = max(ends[ord], at+cartIdle)
		}
	}
	for _, end := range ends {
		if end <= c.span.To && (c.until == 0 || end < c.until) {
			c.until = end
		}
	}
	return nil
}

// carts counts the carts of a share of the visits.
type carts struct {
	*shopCount
	counted, awake *identity.OrdSet
	pending        *identity.OrdSet // visits that are awake and have an open cart
	selections     []*read.Selection
	converted      *read.PairSet
	room           read.PairSets
	share, shares  uint64

	visits map[uint64]*cartVisit
	most   int // visits for which there is room
}

// reserve makes room for more visits.
func (k *carts) reserve() bool {
	for _, more := range []int{cartsMore, 1} {
		if k.room.Reserve(more * cartPairs) {
			k.most += more
			return true
		}
	}
	return false
}

// count adds the abandoned carts. It reads the rows twice: what was put into a cart counts since
// the last order, which may come in any order.
func (k *carts) count(abandoned map[int]*query.ShopTotals) error {
	k.visits, k.most = make(map[uint64]*cartVisit), k.room.Free()
	if err := k.each(k.last); err != nil {
		return err
	}
	summed := false
	for ord, v := range k.visits {
		switch {
		case k.awake.Has(ord):
			if v.cart.seq != 0 && v.open(v.cart) || v.cart.seq == 0 && v.change.seq != 0 && v.open(v.change) {
				k.pending.Add(ord)
			}
			delete(k.visits, ord)
		case v.cart.seq != 0:
			if !v.open(v.cart) || v.value.Sign() <= 0 {
				delete(k.visits, ord)
			}
		case v.change.seq == 0 || !v.open(v.change):
			delete(k.visits, ord)
		default:
			summed = true
		}
	}
	if summed {
		if err := k.each(k.sum); err != nil {
			return err
		}
	}
	for _, v := range k.visits {
		value, currency := v.value, v.currency
		if v.cart.seq == 0 {
			value, currency = v.sum, v.changeCurrency
		}
		if value.Sign() <= 0 {
			continue
		}
		t := abandoned[int(currency)]
		if t == nil {
			t = new(query.ShopTotals)
			abandoned[int(currency)] = t
		}
		t.CartsAbandoned++
		t.CartsValue.AddSum(value)
	}
	return k.rows.Check()
}

// open reports whether no order is later than a row.
func (v *cartVisit) open(at moment) bool { return v.order.seq == 0 || v.order.before(at) }

// each calls fn with the rows of carts and the orders of the share's visits. currency is that of
// the answer.
func (k *carts) each(fn func(row *cartRow) error) error {
	for _, sel := range k.selections {
		err := read.InOrder(sel.WithSession(), k.read, func(s *sliceCarts) error {
			numbers := make([]int32, len(s.currencies.names))
			for i, name := range s.currencies.names {
				n, err := k.currency(name)
				if err != nil {
					return err
				}
				numbers[i] = int32(n)
			}
			for i := range s.rows {
				row := &s.rows[i]
				row.currency = numbers[row.currency]
				if err := fn(row); err != nil {
					return err
				}
			}
			return k.rows.Check()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// read reads the rows of a slice.
func (k *carts) read(s *read.Slice) (*sliceCarts, error) {
	to := &sliceCarts{}
	r := newShopReader(s, k.q.Site)
	sessions, times := s.Ints(event.IntSession), s.Ints(event.IntTime)
	w := work{rows: k.shopCount.rows}
	err := s.Each(func(rows []int32) {
		for i, ord := range sessions.Of(rows) {
			if w.failed() || s.TimedOut() {
				return
			}
			ord, row := uint64(ord), int(rows[i])
			if k.shares > 1 && shareOf(ord, k.shares) != k.share || !k.counted.Has(ord) {
				continue
			}
			kind, amount := r.kind(row)
			if kind == shopOther || kind == shopRefund {
				continue
			}
			currency, err := to.currencies.number(r.currency(row))
			w.set(err)
			if kind == shopOrder {
				amount = ""
			}
			to.rows = append(to.rows, cartRow{ord, moment{times.At(row), s.Seq(row)}, kind, int32(currency), amount})
			w.did(1)
		}
	})
	return to, cmp.Or(err, w.err)
}

// last notes the last rows of each visit.
func (k *carts) last(row *cartRow) error {
	if row.kind == shopOrder {
		k.converted.Add(int(row.currency), row.ord)
	}
	v := k.visits[row.ord]
	if v == nil {
		if len(k.visits) == k.most && !k.reserve() {
			return errCarts
		}
		v = new(cartVisit)
		k.visits[row.ord] = v
	}
	later := func(than moment) bool { return than.seq == 0 || than.before(row.at) }
	switch row.kind {
	case shopOrder:
		if later(v.order) {
			v.order = row.at
		}
	case shopCart:
		if later(v.cart) {
			v.cart, v.currency, v.value = row.at, row.currency, query.Sum{}
			v.value.Add(row.amount)
		}
	default:
		if later(v.change) {
			v.change, v.changeCurrency = row.at, row.currency
		}
	}
	return nil
}

// sum adds what was put into the carts since the last orders.
func (k *carts) sum(row *cartRow) error {
	v := k.visits[row.ord]
	if v == nil || v.cart.seq != 0 || row.currency != v.changeCurrency || !v.open(row.at) {
		return nil
	}
	var amount query.Sum
	amount.Add(row.amount)
	switch row.kind {
	case shopAddition:
		v.sum.AddSum(amount)
	case shopRemoval:
		v.sum.AddSum(amount.Negated())
	}
	return nil
}

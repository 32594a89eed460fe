// Visits: one visit as far as a pass has seen it.

package report

import (
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
)

// moment is the place of a row in the order of rows.
type moment struct {
	time int64 // Unix milliseconds
	seq  uint64
}

func (m moment) before(o moment) bool {
	return m.time < o.time || m.time == o.time && m.seq < o.seq
}

// pageView is a page view of a visit. Numbers are those of texts plus 1; 0 = it has none.
type pageView struct {
	moment
	label int32 // what it was a view of
	host  int32 // of its url
	mine  bool  // the question selects the row
	prev  int32 // view of the visit that the slice read before; -1 = none
}

// visit is a session as far as a pass has seen it. It may have no action, and is then no visit.
// Numbers of texts are those of the slice until the visit is merged, then those of the pass.
type visit struct {
	ord      uint64
	start    int64 // time of its first row by seq that is not deleted
	began    bool  // that row is in the span
	selected bool  // one row satisfies all conditions on rows
	rule     *event.Rule
	flags    uint64 // conditions that some row satisfies, by number
	first    moment // its rows in the span
	last     moment
	views    uint32
	actions  uint32
	entry    pageView // valid when views > 0
	exit     pageView
	person   uint64 // of the earliest row that has one; 0 = nobody
	personAt moment
	beat     int64 // time of the latest heart beat; 0 = none

	conversions uint32
	value       query.Sum // of these rows

	remembered [2]int32 // of Matomo's entry page: campaign and term that the client remembers
	host       int32    // bare host of its first url; further ones are in origin
	origin     *origin  // nil when no row says where the visit came from
	lastView   int32    // newest of the views that the slice has read; -1 = none
	list       []pageView
	fresh      freshness // once the visit is complete
	taken      bool      // it was put together with newer slices
}

// freshness says whether a visit is the first one of its visitor.
type freshness uint8

const (
	freshNot  freshness = iota // or nobody asks
	freshNew                   // the person was never seen before
	freshLate                  // other visits of the person decide
)

// milliseconds returns how long the visit lasted, and what heart beats add is cut at to.
func (v *visit) milliseconds(to int64) int64 {
	until := v.last.time
	if v.rule.HeartBeats {
		if until = max(until, min(v.beat, to)); until > v.first.time {
			return until - v.first.time + 1000
		}
	}
	return until - v.first.time
}

// bounced reports whether the visit is a bounce.
func (v *visit) bounced() bool {
	if v.rule.BouncesByViews {
		return v.views < 2
	}
	return v.actions < 2
}

// merge adds what an older slice has of the same visit.
func (v *visit) merge(o *visit) {
	if o.began {
		v.began, v.start = true, o.start
	}
	v.selected = v.selected || o.selected
	v.flags |= o.flags
	if o.first.before(v.first) {
		v.first = o.first
	}
	if v.last.before(o.last) {
		v.last = o.last
	}
	if o.views > 0 {
		if v.views == 0 || o.entry.before(v.entry.moment) {
			v.entry, v.remembered = o.entry, o.remembered
		}
		if v.views == 0 || v.exit.before(o.exit.moment) {
			v.exit = o.exit
		}
	}
	v.views += o.views
	v.actions += o.actions
	if o.person != 0 && (v.person == 0 || o.personAt.before(v.personAt)) {
		v.person, v.personAt = o.person, o.personAt
	}
	v.beat = max(v.beat, o.beat)
	v.conversions += o.conversions
	v.value.AddSum(o.value)
	if o.host != 0 {
		v.ownHost(o.host)
	}
	switch {
	case v.origin == nil && o.origin != nil:
		v.origin = o.origin.clone()
	case o.origin != nil:
		v.origin.merge(o.origin)
	}
	v.list = append(v.list, o.list...)
}

// ownHost notes the host of one of the visit's urls.
func (v *visit) ownHost(host int32) {
	switch v.host {
	case host:
	case 0:
		v.host = host
	default:
		if v.origin == nil {
			v.origin = new(origin)
		}
		v.origin.ownHost(host)
	}
}

// source returns the source row of the visit; without one seq is 0. A referrer of the site itself
// is taken off.
func (v *visit) source() clue {
	if v.origin == nil {
		return clue{}
	}
	own := func(host int32) bool { return host == v.host || slices.Contains(v.origin.own, host) }
	best := v.origin.campaign
	for i := range v.origin.referred {
		if c := &v.origin.referred[i]; !own(c.host) && (best.seq == 0 || c.before(best.moment)) {
			best = *c
		}
	}
	if best.host != 0 && own(best.host) {
		best.host = 0
	}
	if best.host == 0 {
		best.terms[clueHost], best.terms[clueReferrer] = 0, 0
	}
	return best
}

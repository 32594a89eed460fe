// Increments: this file refuses those that could not be applied, before they are stored.

package engine

import (
	"math"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
)

// checkIncrement refuses two kinds of increments. One is an increment by a number with more
// digits than cairn calculates with. The other, in dialects whose rule says
// ChecksIncrements, is an increment of a trait that the user's newest identify set to
// something other than a number.
//
// The second check only points a client to its mistake. An increment that passes it by
// chance adds to nothing, see read's traits.increment. An event with a message id is not
// checked, so that a retry gets the same answer as the first try.
func (e *Engine) checkIncrement(site *query.Site, ev *event.Event) *event.FieldError {
	if ev.Type == event.Increment && ev.Value.Kind == event.Number {
		if _, ok := event.Decimal(ev.Value.Text); !ok {
			return &event.FieldError{Index: -1, Field: "value", Msg: "must have " + event.DecimalLimit}
		}
	}
	if ev.Type != event.Increment || ev.User == "" || ev.MessageID != "" || !event.NewestRule(ev.Dialect).ChecksIncrements {
		return nil
	}
	told := e.newestIdentify(e.state(site.ID), ev.Dialect, ev.User)
	if told == nil {
		return nil
	}
	if numeric, known := numericAt(told.Properties, ev.Name); known && !numeric {
		return &event.FieldError{Index: -1, Field: "property", Msg: "is not a number in this profile"}
	}
	return nil
}

// newestIdentify returns a user's newest identify event in a dialect. It returns nil if
// there is none or it cannot be read.
func (e *Engine) newestIdentify(s *siteState, d event.Dialect, user string) *event.Event {
	key := identity.LatestKey{Site: s.ID, Dialect: identity.DialectNumber(d), Sort: identity.Identified, ID: user}
	if l, known := e.latestEvents.Get(key); known {
		if l.Seq == 0 {
			return nil
		}
		return e.eventAt(s, l.Seq)
	}
	ev, err := e.Newest(s.ID, math.MinInt64,
		index.Clause{Any: []index.Alt{{Field: event.FieldUser, Terms: []string{user}}}},
		index.Clause{Any: []index.Alt{{Field: event.FieldType, Terms: []string{string(event.Identify)}}}},
		index.Clause{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(d)}}}},
	)
	switch e.logUnreadable(err); {
	case err != nil:
	case ev == nil:
		e.latestEvents.Put(key, identity.Latest{}, true)
	default:
		e.latestEvents.Put(key, identity.Latest{Seq: ev.Seq, Rank: int64(ev.Seq)}, true)
	}
	return ev
}

// numericAt reports whether the value at a dotted path of traits is a number. known is
// false if the traits do not say: the value is absent, null or empty.
func numericAt(o event.Object, path string) (numeric, known bool) {
	v := o.Get(path)
	if key, rest, nested := strings.Cut(path, "."); v.Kind == event.Absent && nested && rest != "" {
		if v = o.Get(key); v.IsObject() {
			var p event.Parser
			inner, err := v.Object(&p)
			if err != nil {
				return false, false
			}
			return numericAt(inner, rest)
		}
		if v.Kind == event.Number {
			return false, true // a number has no members
		}
	}
	if v.Kind == event.Absent || v.Kind == event.Null || v == event.Str("") {
		return false, false
	}
	return v.IsSummable(), true
}

// Increments: this file refuses those that could not be applied, before they are stored.

package engine

import (
	"math"
	"strings"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/index"
)

// checkIncrement refuses two kinds of increments. One is an increment by a number with more
// digits than cairn calculates with. The other, in dialects whose rule says
// ChecksIncrements, is an increment of a trait that is something other than a number,
// whichever dialect set it.
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
	if !e.isSummable(e.state(site.ID), ev.User, ev.Name) {
		return &event.FieldError{Index: -1, Field: "property", Msg: "is not a number in this profile"}
	}
	return nil
}

// traitVerdicts remembers whether traits of users can be added to, so that only the first
// increment of a trait after a change of the user's traits searches for the event that set it.
// It is safe for concurrent use.
type traitVerdicts struct {
	mu      sync.Mutex
	entries *cache.TwoGenerations[traitKey, traitVerdict]
}

type traitKey struct {
	site       uint32
	deletions  uint64 // of the site, which may take the event that has set the trait
	user, path string
}

// traitVerdict holds until the user has an event after described that can set traits.
type traitVerdict struct {
	described uint64 // seq
	summable  bool
}

const (
	traitVerdictBytes    = 128 << 10 // of one generation
	traitVerdictOverhead = 96        // of an entry, besides its texts
)

func newTraitVerdicts() *traitVerdicts {
	size := func(k traitKey, _ traitVerdict) int { return traitVerdictOverhead + len(k.user) + len(k.path) }
	own := func(k traitKey) traitKey {
		return traitKey{k.site, k.deletions, strings.Clone(k.user), strings.Clone(k.path)}
	}
	return &traitVerdicts{entries: cache.NewTwoGenerations(traitVerdictBytes, size, own)}
}

func (t *traitVerdicts) get(k traitKey) (v traitVerdict, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries.Get(k)
}

func (t *traitVerdicts) put(k traitKey, v traitVerdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.entries.Get(k); !ok || old.described <= v.described {
		t.entries.Put(k, v)
	}
}

// clear forgets all verdicts: some of the events may be deleted.
func (t *traitVerdicts) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries.Clear()
}

// traitEventsMax bounds the events of a user that are searched for the one that set a trait.
// An older one is not found, and its trait passes for a number.
const traitEventsMax = 1000

// isSummable reports whether a trait of a user is a number or is absent. It is the value that
// the newest event has set that says anything of it. Where rows cannot be read it is true: a
// damaged run must not stop writes.
func (e *Engine) isSummable(s *siteState, user, path string) bool {
	key := traitKey{s.ID, s.Deletions(), user, path}
	newest := e.newestDescription(s, user)
	if newest == 0 {
		return true
	}
	before, judged := e.traitVerdicts.get(key)
	if judged && before.described >= newest {
		return before.summable
	}
	v := traitVerdict{newest, true}
	n := 0
	err := e.NewestFirst(s.ID, traitEventsMax, func(ev *event.Event) bool {
		if judged && ev.Seq <= before.described {
			v.summable = before.summable
			return false
		}
		if n++; n > traitEventsMax {
			return false
		}
		v.described = max(v.described, ev.Seq)
		if ev.Extra.Get(event.RefusedUser).Kind != event.Absent {
			return true
		}
		summable, known := numericAt(ev.Properties, path, event.NewestRule(ev.Dialect).DeepTraits)
		if known {
			v.summable = summable
		}
		return !known
	}, index.Clause{Any: []index.Alt{{Field: event.FieldUser, Terms: []string{user}}}}, read.DescribesUser())
	if e.logUnreadable(err); err != nil {
		return true
	}
	e.traitVerdicts.put(key, v)
	return v.summable
}

// newestDescription returns the seq of a user's newest event that can set traits. It returns 0
// if there is none or it cannot be read.
func (e *Engine) newestDescription(s *siteState, user string) uint64 {
	key := identity.LatestKey{Site: s.ID, Dialect: identity.AnyDialect, Sort: identity.Described, ID: user}
	if l, known := e.latestEvents.Get(key); known {
		v := s.View()
		defer v.Close()
		if p := v.PartOf(l.Seq); p == nil || !p.Gone(int(l.Seq-p.First())) {
			return l.Seq
		}
	}
	ev, err := e.Newest(s.ID, math.MinInt64, index.Clause{Any: []index.Alt{{Field: event.FieldUser, Terms: []string{user}}}}, read.DescribesUser())
	switch e.logUnreadable(err); {
	case err != nil:
		return 0
	case ev == nil:
		e.latestEvents.Put(key, identity.Latest{}, true)
		return 0
	}
	e.latestEvents.Put(key, identity.Latest{Seq: ev.Seq, Rank: int64(ev.Seq)}, true)
	return ev.Seq
}

// numericAt reports whether an increment can add to the value at a dotted path of traits.
// known is false if the traits do not say. deep is Rule.DeepTraits: null and the empty string
// say nothing; otherwise null erases a trait, so that an increment begins at 0.
func numericAt(o event.Object, path string, deep bool) (numeric, known bool) {
	v := o.Get(path)
	if key, rest, nested := strings.Cut(path, "."); v.Kind == event.Absent && nested && key != "" && rest != "" {
		switch v = o.Get(key); {
		case v.IsObject():
			var p event.Parser
			inner, err := v.Object(&p)
			if err != nil {
				return false, false
			}
			if numeric, known = numericAt(inner, rest, deep); !known && !deep {
				return true, true // the object has replaced another
			}
			return numeric, known
		case v.Kind != event.Absent && v.Kind != event.Null && v != event.Str(""):
			return false, true // it has no members
		}
	}
	switch {
	case v.Kind == event.Absent, deep && (v.Kind == event.Null || v == event.Str("")):
		return false, false
	case v.Kind == event.Null:
		return true, true
	}
	return v.IsSummable(), true
}

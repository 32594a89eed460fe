// Traits: how what is told of a person, bit by bit, becomes a profile.

package engine

import (
	"context"
	"math/big"
	"strings"

	"cairn/engine/event"
	"cairn/index"
)

// merge lays traits over properties; null deletes.
func merge(properties *event.Object, traits event.Object) {
	for _, m := range traits {
		if m.Value.Kind == event.Null {
			properties.Delete(m.Key)
		} else {
			properties.Set(m.Key, m.Value)
		}
	}
}

// mergeDeep is merge as OpenPanel does it: objects are merged key by key at any
// depth, everything else is replaced, and what is null or empty erases nothing.
func mergeDeep(properties *event.Object, traits event.Object) {
	for _, m := range traits {
		switch old := properties.Get(m.Key); {
		case m.Value.Kind == event.Null, m.Value == event.Str(""):
		case m.Value.IsObject() && old.IsObject():
			properties.Set(m.Key, mergedObjects(old, m.Value))
		case m.Value.IsObject():
			properties.Set(m.Key, mergedObjects(event.Raw("{}"), m.Value))
		default:
			properties.Set(m.Key, m.Value)
		}
	}
}

// mergedObjects is the object below with the object above laid over it.
func mergedObjects(below, above event.Value) event.Value {
	var p event.Parser
	b, err := below.Object(&p)
	a, err2 := above.Object(&p)
	if err != nil || err2 != nil {
		return above
	}
	merged := append(event.Object(nil), b...)
	mergeDeep(&merged, a)
	return event.Raw(string(event.AppendObject(nil, merged)))
}

// increment adds a decimal to the number at a dotted path; one that is missing is
// 0, and so are the objects on the way to it. What is no number stays. A key that
// itself holds the dots comes first.
func increment(properties *event.Object, path, by string) {
	if old := properties.Get(path); old.Kind != event.Absent {
		if sum, ok := sumOf(old, by); ok {
			properties.Set(path, sum)
		}
		return
	}
	key, rest, nested := strings.Cut(path, ".")
	if !nested || key == "" || rest == "" {
		if sum, ok := sumOf(event.Num("0"), by); ok {
			properties.Set(path, sum)
		}
		return
	}
	inner := properties.Get(key)
	if inner.Kind == event.Absent {
		inner = event.Raw("{}")
	}
	var p event.Parser
	o, err := inner.Object(&p)
	if err != nil {
		return // no object to go into
	}
	o = append(event.Object(nil), o...)
	increment(&o, rest, by)
	properties.Set(key, event.Raw(string(event.AppendObject(nil, o))))
}

// checkIncrement refuses an OpenPanel increment of what the newest identify of the
// profile says is no number. It spares a client a mistake; one that slips by adds to
// nothing, see increment. One with a message id is not asked: a retry is answered as
// the first try was.
func (e *Engine) checkIncrement(site *Site, ev *event.Event) *event.FieldError {
	if ev.Type != event.Increment || ev.Dialect != event.OpenPanel || ev.MessageID != "" {
		return nil
	}
	told := e.newestIdentify(e.state(site.ID), ev.User)
	if told == nil {
		return nil
	}
	if numeric, known := numericAt(told.Properties, ev.Name); known && !numeric {
		return &event.FieldError{Index: -1, Field: "property", Msg: "is not a number in this profile"}
	}
	return nil
}

// newestIdentify returns what a user was last said to be, nil when nothing was, or
// none of it can be read.
func (e *Engine) newestIdentify(s *siteState, user string) *event.Event {
	key := sightingKey{s.id, identifies, user}
	if l, known := e.sightings.get(key); known {
		if l.seq == 0 {
			return nil
		}
		ev, err := s.view().event(l.seq)
		e.unread(err)
		return ev
	}
	ev, err := s.newestMatch(e.budget(context.Background()), matching(
		index.Clause{Any: []index.Alt{{Field: event.FieldUser, Terms: []string{user}}}},
		index.Clause{Any: []index.Alt{{Field: event.FieldType, Terms: []string{string(event.Identify)}}}},
		index.Clause{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(event.OpenPanel)}}}},
	))
	switch e.unread(err); {
	case err != nil:
	case ev == nil:
		e.sightings.put(key, sighting{}, true)
	default:
		e.sightings.put(key, sighting{ev.Seq, int64(ev.Seq)}, true)
	}
	return ev
}

// numericAt says whether there is a number at a dotted path of traits, as far as
// these know: what is absent, null or empty tells nothing.
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
			return false, true // a number has nothing inside
		}
	}
	if v.Kind == event.Absent || v.Kind == event.Null || v == event.Str("") {
		return false, false
	}
	return v.Kind == event.Number, true
}

// sumOf adds a decimal to a number, exactly.
func sumOf(old event.Value, by string) (event.Value, bool) {
	a, okA := new(big.Rat).SetString(old.Text)
	b, okB := new(big.Rat).SetString(by)
	if old.Kind != event.Number || !okA || !okB {
		return event.Value{}, false
	}
	text := a.Add(a, b).FloatString(decimals(old.Text, by))
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return event.Num(text), true
}

// decimals is how many digits after the point the sum of two decimals may have.
func decimals(texts ...string) int {
	n := 0
	for _, t := range texts {
		r, ok := new(big.Rat).SetString(t)
		if !ok {
			continue
		}
		d, _ := r.FloatPrec()
		n = max(n, d)
	}
	return min(n, 400)
}

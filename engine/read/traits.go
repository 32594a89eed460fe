// Traits: how what is told of a person, bit by bit, becomes a profile.

package read

import (
	"slices"
	"strings"

	"cairn/engine/event"
)

// traits is an object built from many small changes. The cost of one does not depend on
// how many came before: a key is found by a map, and an object inside is taken
// apart once, not written and read again for each bit.
type traits struct {
	list    []trait
	indexOf map[string]int // places in list; nil while list is short
}

// trait is one key of traits.
type trait struct {
	key   string
	value event.Value // Absent where it was deleted
	inner *traits     // an object that was opened; value is then not asked
}

func newTraits(o event.Object) *traits {
	t := new(traits)
	for _, m := range o {
		t.set(m.Key, m.Value)
	}
	return t
}

// shortList is how many keys are looked through one by one.
const shortList = 16

// find returns the trait of a key, nil when there is none. It is good until the next set.
func (t *traits) find(key string) *trait {
	at := -1
	if t.indexOf == nil {
		at = slices.IndexFunc(t.list, func(m trait) bool { return m.key == key })
	} else if i, ok := t.indexOf[key]; ok {
		at = i
	}
	if at < 0 || t.list[at].value.Kind == event.Absent {
		return nil
	}
	return &t.list[at]
}

// set replaces or adds a key.
func (t *traits) set(key string, v event.Value) *trait {
	at, known := t.indexOf[key]
	if t.indexOf == nil {
		at = slices.IndexFunc(t.list, func(m trait) bool { return m.key == key })
		known = at >= 0
	}
	if known {
		t.list[at] = trait{key: key, value: v}
		return &t.list[at]
	}
	at = len(t.list)
	t.list = append(t.list, trait{key: key, value: v})
	switch {
	case t.indexOf != nil:
		t.indexOf[key] = at
	case len(t.list) > shortList:
		t.indexOf = make(map[string]int, 2*len(t.list))
		for i := range t.list {
			t.indexOf[t.list[i].key] = i
		}
	}
	return &t.list[at]
}

// open returns the object that is the trait's value, nil when that is none.
func (m *trait) open() *traits {
	if m.inner == nil && m.value.IsObject() {
		var p event.Parser
		o, err := m.value.Object(&p)
		if err != nil {
			return nil
		}
		m.inner = newTraits(o)
	}
	return m.inner
}

// merge lays an object over t; null deletes.
func (t *traits) merge(o event.Object) {
	for _, m := range o {
		if m.Value.Kind != event.Null {
			t.set(m.Key, m.Value)
		} else if old := t.find(m.Key); old != nil {
			old.value, old.inner = event.Value{}, nil
		}
	}
}

// mergeDeep is merge for dialects with DeepTraits: objects are merged key by key at any
// depth, everything else is replaced, and what is null or empty erases nothing.
func (t *traits) mergeDeep(o event.Object) {
	for _, m := range o {
		if m.Value.Kind == event.Null || m.Value == event.Str("") {
			continue
		}
		if m.Value.IsObject() {
			var p event.Parser
			if above, err := m.Value.Object(&p); err == nil {
				t.objectAt(m.Key).mergeDeep(above)
				continue
			}
		}
		t.set(m.Key, m.Value)
	}
}

// inside returns the object under a key, a new one where there is none.
func (t *traits) objectAt(key string) *traits {
	if old := t.find(key); old != nil {
		if o := old.open(); o != nil {
			return o
		}
	}
	return t.set(key, event.Raw("{}")).open()
}

// increment adds a decimal to the number at a dotted path; one that is missing is
// 0, and so are the objects on the way to it. What is no number stays. A key that
// itself holds the dots comes first. A decimal with more digits than cairn calculates
// with, which older versions took, adds nothing.
func (t *traits) increment(path, by string) {
	plain, ok := event.Decimal(by)
	if !ok {
		return
	}
	for {
		if old := t.find(path); old != nil {
			if sum, ok := old.value.AddDecimal(plain); ok {
				old.value = sum
			}
			return
		}
		key, rest, nested := strings.Cut(path, ".")
		if !nested || key == "" || rest == "" {
			t.set(path, event.Num(plain))
			return
		}
		if old := t.find(key); old != nil && old.open() == nil {
			return // no object to go into
		}
		t, path = t.objectAt(key), rest
	}
}

// object is t as an event has it.
func (t *traits) object() event.Object {
	if len(t.list) == 0 {
		return nil
	}
	o := make(event.Object, 0, len(t.list))
	for i := range t.list {
		switch m := &t.list[i]; {
		case m.inner != nil:
			o = append(o, event.Member{Key: m.key, Value: event.Raw(string(m.inner.append(nil)))})
		case m.value.Kind != event.Absent:
			o = append(o, event.Member{Key: m.key, Value: m.value})
		}
	}
	return o
}

// append appends t as JSON.
func (t *traits) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range t.list {
		m := &t.list[i]
		if i > 0 { // inside of an object nothing is deleted
			dst = append(dst, ',')
		}
		dst = append(event.AppendString(dst, m.key), ':')
		if m.inner != nil {
			dst = m.inner.append(dst)
		} else {
			dst = event.AppendValue(dst, m.value)
		}
	}
	return append(dst, '}')
}

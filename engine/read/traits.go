// Traits: the object of a profile, merged from many events.

package read

import (
	"slices"
	"strings"

	"cairn/engine/event"
)

// traits is an object built from many small changes. The cost of a change does not depend on
// the number of changes before it: a map finds the key, and a nested object is parsed only
// once. The zero traits is empty.
type traits struct {
	list    []trait
	indexOf map[string]int // index in list by key; nil while list is short
}

// trait is one key of traits.
type trait struct {
	key   string
	value event.Value // Absent when it was deleted
	inner *traits     // the parsed object; value is ignored when it is set
}

// newTraits returns traits with the members of o.
func newTraits(o event.Object) *traits {
	t := new(traits)
	for _, m := range o {
		t.set(m.Key, m.Value)
	}
	return t
}

// shortList is the longest list that is searched without a map.
const shortList = 16

// find returns the trait of a key, or nil when there is none. It is valid until the next set.
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

// open returns the trait's value as traits, or nil when it is no object.
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

// merge sets the members of o; null deletes a key.
func (t *traits) merge(o event.Object) {
	for _, m := range o {
		if m.Value.Kind != event.Null {
			t.set(m.Key, m.Value)
		} else if old := t.find(m.Key); old != nil {
			old.value, old.inner = event.Value{}, nil
		}
	}
}

// mergeDeep is merge for dialects with DeepTraits. Objects are merged key by key at any
// depth. Everything else is replaced. Null and the empty string change nothing.
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

// objectAt returns the object under a key. It puts a new one there if there is none.
func (t *traits) objectAt(key string) *traits {
	if old := t.find(key); old != nil {
		if o := old.open(); o != nil {
			return o
		}
	}
	return t.set(key, event.Raw("{}")).open()
}

// increment adds a decimal to the number at a dotted path. A missing number is 0; missing
// objects on the path are created. A value that is no number stays. A key that itself
// contains the dots is preferred. A decimal with more digits than cairn calculates with adds
// nothing; older versions accepted such decimals.
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
			return // the value under key is no object
		}
		t, path = t.objectAt(key), rest
	}
}

// object returns t as an object, in the order in which the keys were set.
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
		if i > 0 { // nested objects have no deleted keys
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

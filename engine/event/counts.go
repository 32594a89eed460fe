package event

import "slices"

// What an event adds to counters.

// Countable reports whether events of this type change counters.
func Countable(t Type) bool {
	switch t {
	case Identify, Group, Alias, Increment:
		return false
	}
	return true
}

// Detected reports whether a key of Context is counted beside the properties.
func Detected(key string) bool {
	switch key {
	case "title", "country", "region", "city", "browser", "platform", "device", "language", "referrer_host",
		"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content":
		return true
	}
	return false
}

// Counts calls yield with every counter that the event changes, and by how much, until
// yield returns false. The result depends on the stored event alone, so a recount of
// the log gives the same totals. Each (property, value) is yielded once.
//
// These are counted: the scalar leaves of Properties under their dotted paths, the name
// under "name", and the detected keys of Context. A property replaces a detected key of
// the same name. Then:
//   - paths in NotCounted do not count;
//   - a value in Capped counts as Other, and so do all values of a property that Capped
//     has with Other;
//   - properties in CappedNames count together as the value Other of the property
//     Other;
//   - properties beyond Cut do not count.
func (e *Event) Counts(yield func(property, term string, by int64) bool) {
	e.CountsIn(nil, yield)
}

// TermArena is memory for the paths and terms that counting makes. It stores each path
// once. They are valid until Reset. One goroutine at a time may use it. The zero
// TermArena is ready.
type TermArena struct {
	// Admit reports whether a name counts by itself; if not, it counts as those in
	// CappedNames do. It is called only for names with NameCapped, before they are
	// stored, perhaps several times in one event. The name is valid until Admit
	// returns. nil = all names of an event count but its CappedNames.
	Admit func(name string) bool

	text  []byte
	paths map[string]string // the paths made so far, each by itself
	walk  leafWalk
	few   []Term
	out   []byte  // a path that does not count
	order []place // of the event's properties
}

// NameCapped reports whether the cap on names applies to the name of a property. It
// does not apply to detected names, which are few, nor to Other.
func NameCapped(name string) bool { return name != "name" && name != Other && !Detected(name) }

// Memory that a TermArena keeps for later.
const (
	termArenaMax = 1 << 20 // bytes
	termPathsMax = 1024
)

// Reset forgets everything and keeps the memory, up to the bounds above.
func (r *TermArena) Reset() {
	Poison(r.text)
	if r.text = r.text[:0]; cap(r.text) > termArenaMax {
		r.text = nil
	}
	if len(r.paths) > termPathsMax {
		r.paths = nil
	}
	clear(r.paths)
	clear(r.few)
}

// name returns a path that is valid until Reset.
func (r *TermArena) name(path []byte) string {
	if known, ok := r.paths[string(path)]; ok {
		return known
	}
	if r.paths == nil {
		r.paths = make(map[string]string)
	}
	name := r.keep(path)
	r.paths[name] = name
	return name
}

// keep copies a text.
func (r *TermArena) keep(b []byte) string {
	if r == nil {
		return string(b)
	}
	at := len(r.text)
	r.text = append(r.text, b...) // when text moves, earlier strings stay in the old memory
	return aliasString(r.text[at:])
}

// Keep returns a copy of a text that is valid until Reset.
func (r *TermArena) Keep(text string) string {
	at := len(r.text)
	r.text = append(r.text, text...)
	return aliasString(r.text[at:])
}

// CountsIn is Counts with memory: paths and terms that are not in the event as they are
// come from arena. With a nil arena each is allocated.
func (e *Event) CountsIn(arena *TermArena, yield func(property, term string, by int64) bool) {
	if e.Uncounted || !Countable(e.Type) {
		return
	}
	c := counts{e: e, yield: yield, arena: arena}
	if arena != nil {
		c.seen = termSet{few: arena.few[:0]}
		defer func() { arena.few = c.seen.few }()
	}
	if len(e.Increments) > fewIncrements {
		c.amounts = make(map[string]int64, len(e.Increments))
		for _, a := range slices.Backward(e.Increments) { // the first amount of a property counts
			c.amounts[a.Property] = a.By
		}
	}
	for i := range e.Properties {
		if e.Properties[i].Value.Kind == JSON {
			c.distinct = true // only nested values can give the same path again
		}
	}
	for _, name := range e.CappedNames {
		c.names.add(name, "")
	}
	if len(e.Capped) > 0 {
		c.distinct = true // two capped values become one Other
		for _, t := range e.Capped {
			c.capped.add(t.Property, t.Value)
		}
	}
	if arena != nil && arena.Admit != nil && !sortedByKey(e.Properties) {
		// Whether the names and values of an event count depends on the order. It is that of
		// the row, so that an event that is exported and imported counts the same.
		arena.order = sortMembers(arena.order[:0], e.Properties)
		for _, p := range arena.order {
			if m := &e.Properties[p.at]; !c.value(m.Key, m.Value) {
				return
			}
		}
	} else {
		for i := range e.Properties {
			if m := &e.Properties[i]; !c.value(m.Key, m.Value) {
				return
			}
		}
	}
	if e.Name != "" && !c.detected("name", e.Name) {
		return
	}
	for i := range e.Context {
		if m := &e.Context[i]; m.Value.Kind == String && m.Value.Text != "" && Detected(m.Key) {
			if !c.detected(m.Key, m.Value.Text) {
				return
			}
		}
	}
	c.other()
}

// sortedByKey reports whether the members of o are ordered by key.
func sortedByKey(o Object) bool {
	for i := 1; i < len(o); i++ {
		if o[i-1].Key > o[i].Key {
			return false
		}
	}
	return true
}

// fewIncrements is up to how many increments are searched for each path, without a map.
const fewIncrements = 8

// counts is the state of one call of Counts.
type counts struct {
	e        *Event
	amounts  map[string]int64 // Increments, when they are many
	yield    func(property, term string, by int64) bool
	distinct bool
	seen     termSet
	capped   termSet
	names    termSet // CappedNames, with no values
	leftOut  bool    // some name did not count
	arena    *TermArena

	// For the current path.
	path string
	out  bool // it does not count
	by   int64
}

func (c *counts) value(key string, v Value) bool {
	most := c.e.Cut.Of(key)
	if most == 0 {
		return true
	}
	if v.Kind != JSON {
		if v.Kind == Null {
			return true
		}
		if c.enter(key); !c.out && !c.admitted(key) {
			return true
		}
		term, ok := v.termIn(c.arena)
		return !ok || c.term(term)
	}
	if c.arena == nil {
		c.arena = new(TermArena)
	}
	going, n, entered := true, 0, false
	c.arena.walk.of(key, v, func(path []byte, v Value) bool {
		if n++; n > most {
			return false
		}
		if c.e.Cut.leavesOut(len(path)) {
			return true
		}
		if !entered || string(path) != c.path {
			if entered = true; slices.Contains(c.e.NotCounted, aliasString(path)) || !c.admitted(aliasString(path)) {
				c.arena.out = append(c.arena.out[:0], path...)
				c.path, c.out = aliasString(c.arena.out), true
			} else if len(path) == len(key) {
				c.enter(key)
			} else {
				c.enter(c.arena.name(path))
			}
		}
		if c.out {
			return true
		}
		term, _ := v.termIn(c.arena)
		going = c.term(term)
		return going
	})
	return going
}

// admitted reports whether the name of a property counts by itself.
func (c *counts) admitted(name string) (yes bool) {
	switch {
	case c.arena != nil && c.arena.Admit != nil:
		yes = !NameCapped(name) || c.arena.Admit(name)
	default:
		yes = len(c.e.CappedNames) == 0 || !c.names.has(name, "")
	}
	c.leftOut = c.leftOut || !yes
	return yes
}

// other counts Other once for all names that did not count.
func (c *counts) other() {
	if !c.leftOut && len(c.e.CappedNames) == 0 {
		return
	}
	if !c.distinct { // a property of that name may have counted the same
		if term, ok := c.e.Properties.Get(Other).termIn(c.arena); ok && term == Other && c.e.Cut.Of(Other) > 0 {
			return
		}
	}
	c.enter(Other)
	c.term(Other)
}

func (c *counts) detected(key, text string) bool {
	if c.e.Properties.Get(key).Kind != Absent {
		return true
	}
	c.enter(key)
	return c.term(text)
}

func (c *counts) enter(path string) {
	c.path, c.by = path, 1
	c.out = slices.Contains(c.e.NotCounted, path)
	if c.amounts != nil {
		if by, ok := c.amounts[path]; ok {
			c.by = by
		}
		return
	}
	for i := range c.e.Increments {
		if c.e.Increments[i].Property == path {
			c.by = c.e.Increments[i].By
			break
		}
	}
}

func (c *counts) term(term string) bool {
	if c.out {
		return true
	}
	if len(c.e.Capped) > 0 && (c.capped.has(c.path, term) || c.capped.has(c.path, Other)) {
		term = Other
	}
	if c.distinct && !c.seen.add(c.path, term) {
		return true
	}
	return c.yield(c.path, term, c.by)
}

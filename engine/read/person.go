// Persons: which ids belong to one person, and which events.

package read

import (
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"
)

// person is all ids of one person.
type person struct {
	root  uint64   // the person's first ordinal
	users []string // user ids, by first appearance
	anons []string // anonymous ids, by first appearance
}

// firstSeq returns the seq of the event in which an id first appeared, or 0 when it never
// did. The previous id of an alias may be of either kind.
func (v *view) firstSeq(kind byte, id string) (uint64, error) {
	field := event.FieldUser
	if kind == identity.KindAnonymous {
		field = event.FieldAnonymous
	}
	first, err := v.firstMatch(index.Clause{Any: []index.Alt{{Field: field, Terms: []string{id}}}})
	if err != nil {
		return 0, err
	}
	aliased, err := v.firstMatch(aliasOf(id)...)
	if err != nil {
		return 0, err
	}
	if first == 0 || aliased != 0 && aliased < first {
		return aliased, nil
	}
	return first, nil
}

// aliasOf finds the aliases whose previous id is one of ids.
func aliasOf(ids ...string) []index.Clause {
	return append([]index.Clause{{Any: []index.Alt{{Field: event.FieldPrevious, Terms: ids}}}}, aliases()...)
}

// aliases finds the aliases of all ids. An alias event without a user does not count.
func aliases() []index.Clause {
	return []index.Clause{
		{Any: []index.Alt{{Field: event.FieldType, Terms: []string{string(event.Alias)}}}},
		{Any: []index.Alt{{Field: event.FieldUser}, {Field: event.FieldAnonymous}}, Present: true},
	}
}

// firstMatch returns the seq of the oldest event that satisfies clauses, or 0.
func (v *view) firstMatch(clauses ...index.Clause) (seq uint64, err error) {
	for i := range v.Parts {
		p := &v.Parts[i]
		index.NewMatcher(p.Get(), clauses, nil).Ascend(0, func(row int) bool {
			seq = p.First() + uint64(row)
			return false
		})
		if err := p.Err(); err != nil {
			return 0, err
		}
		if seq != 0 {
			return seq, nil
		}
	}
	return 0, nil
}

// findPerson returns the person with an id, or nil when no event has the id. If it is both a
// user id and an anonymous id, the person with the user id is returned.
func (v *view) findPerson(id string) (*person, error) {
	kind := byte(identity.KindUser)
	ord, err := v.firstSeq(kind, id)
	if err == nil && ord == 0 {
		kind = identity.KindAnonymous
		ord, err = v.firstSeq(kind, id)
	}
	if err != nil || ord == 0 {
		return nil, err
	}
	return v.person(ord, firstAppearance{kind, id, ord})
}

// firstAppearance is what firstSeq returned for an id.
type firstAppearance struct {
	kind byte
	id   string
	seq  uint64
}

// person collects the ids of the person with an ordinal: those that first appeared in the
// events of its linked ordinals. known saves a lookup; it may be zero.
func (v *view) person(ord uint64, known firstAppearance) (*person, error) {
	links, err := v.links()
	if err != nil {
		return nil, err
	}
	set := links.Set(ord)
	p := &person{root: set[0]}
	firstSeq, idsOf := v.firstSeq, v.IDs
	if len(set) > fewIDs {
		firsts := newFirstRows(v)
		firstSeq, idsOf = firsts.seq, firsts.ids
	}
	c := clock{budget: v.budget}
	var users, anons names
	add := func(list *names, kind byte, id string, seq uint64) error {
		if id == "" || list.has(id) {
			return nil
		}
		first, err := known.seq, error(nil)
		if known.kind != kind || known.id != id {
			first, err = firstSeq(kind, id)
		}
		if err == nil && first == seq {
			list.add(id)
		}
		return err
	}
	for _, seq := range set {
		if err := c.countRow(clockBytes / 64); err != nil { // an id may be looked up in many parts
			return nil, err
		}
		ev, err := idsOf(seq)
		if err != nil {
			return nil, err
		}
		if ev == nil {
			continue
		}
		ids := []string{ev.User}
		visitors := []string{ev.Anonymous}
		if ev.Type == event.Alias {
			ids, visitors = append(ids, ev.Previous), append(visitors, ev.Previous)
		}
		for _, id := range ids {
			if err := add(&users, identity.KindUser, id, seq); err != nil {
				return nil, err
			}
		}
		for _, id := range visitors {
			if err := add(&anons, identity.KindAnonymous, id, seq); err != nil {
				return nil, err
			}
		}
	}
	p.users, p.anons = users.list, anons.list
	return p, nil
}

// clause finds the person's events: those with one of its user ids, and those without a user
// id but with one of its anonymous ids.
func (p *person) clause() index.Clause {
	return index.Clause{Any: []index.Alt{
		{Field: event.FieldUser, Terms: p.users},
		{Field: event.FieldAnonymous, Terms: p.anons, Unless: event.FieldUser},
	}}
}

// personClause finds all events of the persons who have one of the ids.
func (v *view) personClause(ids []string) (index.Clause, error) {
	var c index.Clause
	for _, id := range ids {
		p, err := v.findPerson(id)
		if err != nil {
			return c, err
		}
		if p != nil {
			c.Any = append(c.Any, p.clause().Any...)
		}
	}
	return c, nil
}

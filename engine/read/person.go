// Persons: which ids belong to one person, and which events.

package read

import (
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/table"
	"cairn/index"
)

// person is all ids of one person.
type person struct {
	root  uint64   // the person's first ordinal
	users []string // user ids, by first appearance
	anons []string // anonymous ids, by first appearance
}

// firstSeq returns the seq of the row in which an id first appeared, deleted or not, or 0 when it
// never did. The previous id of an alias may be of either kind.
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

// aliases finds the aliases of all ids. An alias event without a user does not count. A blank
// that is one had a user, which it may have lost.
func aliases() []index.Clause {
	return []index.Clause{
		{Any: []index.Alt{{Field: event.FieldType, Terms: []string{string(event.Alias)}}}},
		{Any: []index.Alt{{Field: event.FieldUser}, {Field: event.FieldAnonymous}, {Field: index.FieldGone}}, Present: true},
	}
}

// firstMatch returns the seq of the oldest row that satisfies clauses, deleted or not, or 0.
func (v *view) firstMatch(clauses ...index.Clause) (seq uint64, err error) {
	for i := range v.Parts {
		p := &v.Parts[i]
		index.NewRawMatcher(p.Get(), clauses, nil).Ascend(0, func(row int) bool {
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

// findPerson returns the person with an id, or nil when no event that is not deleted has the id. If it is both a
// user id and an anonymous id, the person with the user id is returned.
func (v *view) findPerson(id string) (*person, error) {
	gone, err := v.gone()
	if err != nil {
		return nil, err
	}
	for _, kind := range [...]byte{identity.KindUser, identity.KindAnonymous} {
		ord, err := v.firstSeq(kind, id)
		if err != nil {
			return nil, err
		}
		named := ord != 0
		if named && gone != nil && gone.has(ord) {
			if named, err = v.hasID(kind, id); err != nil {
				return nil, err
			}
		}
		if named {
			return v.person(ord, appearance{kind, id, ord})
		}
	}
	return nil, nil
}

// hasID reports whether some row that is not deleted has an id.
func (v *view) hasID(kind byte, id string) (bool, error) {
	field := event.FieldUser
	if kind == identity.KindAnonymous {
		field = event.FieldAnonymous
	}
	has, err := v.hasRow([]index.Clause{{Any: []index.Alt{{Field: field, Terms: []string{id}}}}})
	if has || err != nil {
		return has, err
	}
	return v.hasRow(aliasOf(id))
}

// hasRow reports whether some row that is not deleted satisfies clauses.
func (v *view) hasRow(clauses []index.Clause) (has bool, err error) {
	_, err = v.walk(newPredicate(clauses...), false, 0, func(*table.Part, []int) (bool, error) {
		has = true
		return false, nil
	}, 1)
	return has, err
}

// appearance is an id in an event: that in which it first appeared, where firstSeq says so.
type appearance struct {
	kind byte
	id   string
	seq  uint64
}

// person collects the ids of the person with an ordinal: those that first appeared in the
// rows of its linked ordinals. A deleted row is a name alone, and only of ids that other rows
// have. known saves a lookup; it may be zero.
func (v *view) person(ord uint64, known appearance) (*person, error) {
	persons, err := v.persons()
	if err != nil {
		return nil, err
	}
	gone, err := v.gone()
	if err != nil {
		return nil, err
	}
	set := persons.Set(ord)
	p := &person{root: set[0]}
	firstSeq, idsOf := v.firstSeq, v.IDs
	var firsts *firstRows
	if len(set) > fewIDs {
		firsts = newFirstRows(v)
		firstSeq, idsOf = firsts.seq, firsts.ids
	}
	c := clock{budget: v.budget}
	var lists [2]names // of users, of visitors
	list := func(kind byte) *names {
		if kind == identity.KindUser {
			return &lists[0]
		}
		return &lists[1]
	}
	var all []appearance
	for seqs := range slices.Chunk(set, firstIDsMax) {
		all = all[:0]
		for _, seq := range seqs {
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
			all = append(all, appearance{identity.KindUser, ev.User, seq})
			if ev.Type == event.Alias {
				all = append(all, appearance{identity.KindUser, ev.Previous, seq})
			}
			all = append(all, appearance{identity.KindAnonymous, ev.Anonymous, seq})
			if ev.Type == event.Alias {
				all = append(all, appearance{identity.KindAnonymous, ev.Previous, seq})
			}
		}
		if firsts != nil {
			if err := firsts.find(all); err != nil {
				return nil, err
			}
		}
		for _, a := range all {
			list := list(a.kind)
			if a.id == "" || list.has(a.id) {
				continue
			}
			first := known.seq
			if known.kind != a.kind || known.id != a.id {
				if err := c.countRow(clockBytes / 64); err != nil {
					return nil, err
				}
				if first, err = firstSeq(a.kind, a.id); err != nil {
					return nil, err
				}
			}
			if first != a.seq {
				continue
			}
			if gone != nil && gone.has(a.seq) {
				if has, err := v.hasID(a.kind, a.id); err != nil {
					return nil, err
				} else if !has {
					continue
				}
			}
			list.add(a.id)
		}
	}
	p.users, p.anons = lists[0].list, lists[1].list
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

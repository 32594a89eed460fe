// People: profiles of persons and groups. The store keeps nothing about a person except
// links; profiles are computed from the person's events.

package read

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// User returns the profile of the person with an id, or query.ErrNotFound.
func (rd *Reader) User(ctx context.Context, site *query.Site, id string) (query.User, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	p, err := v.findPerson(id)
	if err != nil {
		return query.User{}, err
	}
	if p == nil {
		return query.User{}, query.ErrNotFound
	}
	u, err := rd.profile(v, site, p)
	if err == nil && u.Events == 0 {
		return query.User{}, query.ErrNotFound // all are deleted
	}
	return u, err
}

// users answers Users.
func (rd *Reader) users(ctx context.Context, q query.Query) (_ []query.User, next string, _ error) {
	limit, err := checkLimit(q.Limit, query.LimitMax)
	if err != nil {
		return nil, "", err
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	persons, err := v.persons()
	if err != nil {
		return nil, "", err
	}
	if q.ByLast {
		return rd.latestUsers(v, q, limit)
	}
	keep, begin := func(seq uint64) bool { return persons.Find(seq) == seq }, v.personBegin
	if len(q.Where) > 0 || q.From != 0 || q.To != 0 {
		found, err := v.ordinals(&q, event.IntPerson)
		if err == nil {
			err = found.AddPersons(persons, v.budget.check)
		}
		if err != nil {
			return nil, "", err
		}
		keep, begin = func(seq uint64) bool { return found.Has(seq) && persons.Find(seq) == seq }, nil
	}
	roots, more, err := rd.firstSeqs(v, q, event.IntPerson, limit, keep, begin)
	if err != nil {
		return nil, "", err
	}
	users, more, err := rd.profiles(v, &q, roots, more)
	if err != nil || !more {
		return users, "", err
	}
	return users, users[len(users)-1].Cursor, nil
}

// ordinals returns what an integer column has in the events that q selects.
func (v *view) ordinals(q *query.Query, column int) (*identity.OrdSet, error) {
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return nil, err
	}
	return v.ordinalsOf(pred, column)
}

// ordinalsOf returns what an integer column has in the rows that satisfy pred.
func (v *view) ordinalsOf(pred *predicate, column int) (*identity.OrdSet, error) {
	var shared sharedOrds
	sums, err := gather(v.budget, pred, v.rowRanges(), func(r *rangeReader, rr *rowRange, found *ordBuffer) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		ords := newRowInts(opened.Get().Ints(column))
		if err := r.each(rr, func(rows []int32) { found.addAll(ords.of(rows), &shared) }); err != nil {
			return err
		}
		return opened.Err()
	})
	if err != nil {
		return nil, err
	}
	for i := range sums {
		sums[i].flush(&shared)
	}
	all := shared.all()
	return &all, nil
}

// latestUsers is Users with ByLast. It keeps the limit persons with the latest events seen so
// far: one that drops out comes back with a later event of its own.
func (rd *Reader) latestUsers(v *view, q query.Query, limit int) (_ []query.User, next string, _ error) {
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return nil, "", err
	}
	people, err := v.persons()
	if err != nil {
		return nil, "", err
	}
	var latest latestPersons
	latest.limit = limit
	err = v.eachRow(pred, func(p *table.Part) func(int) {
		times, persons := newRowInts(p.Get().Ints(event.IntTime)), newRowInts(p.Get().Ints(event.IntPerson))
		return func(row int) {
			if ord := uint64(persons.at(row)); ord != 0 && latest.wants(times.at(row)) {
				latest.add(people.Find(ord), times.at(row))
			}
		}
	})
	if err != nil {
		return nil, "", err
	}
	users, _, err := rd.profiles(v, &q, latest.roots(), false)
	return users, "", err
}

// profiles computes the profiles of persons. more says that there are others than those of
// roots, or than those that fit into the bytes and the time of q.
func (rd *Reader) profiles(v *view, q *query.Query, roots []uint64, more bool) ([]query.User, bool, error) {
	users := make([]query.User, 0, len(roots))
	left := cmp.Or(q.Bytes, math.MaxInt)
	for _, root := range roots {
		if left <= 0 {
			more = true
			break
		}
		p, err := v.person(root, appearance{})
		var u query.User
		if err == nil {
			u, err = rd.profile(v, q.Site, p)
		}
		if err == query.ErrQueryTimeout && len(users) > 0 && !q.ByLast {
			more = true // return the persons so far, and a cursor
			break
		}
		if err != nil {
			return nil, false, err
		}
		users = append(users, u)
		left -= objectBytes(u.Properties) + namesBytes(u.Aliases, u.Anonymous, u.Groups)
	}
	return users, more, nil
}

// objectBytes returns the bytes of the keys and values of an object.
func objectBytes(o event.Object) (n int) {
	for i := range o {
		n += len(o[i].Key) + len(o[i].Value.Text)
	}
	return n
}

// namesBytes returns the bytes of lists of names.
func namesBytes(lists ...[]string) (n int) {
	for _, list := range lists {
		for _, name := range list {
			n += len(name)
		}
	}
	return n
}

// firstSeqs returns one page of the first events of persons or sessions, newest first: the
// rows whose ordinal in the column col is their own seq, deleted or not. keep selects among them.
// For those that are deleted, begin returns 0 when no row of the ordinal is left; nil = keep knows.
func (rd *Reader) firstSeqs(v *view, q query.Query, col, limit int, keep func(seq uint64) bool, begin func(ord uint64) (uint64, error)) (seqs []uint64, more bool, err error) {
	before := uint64(1<<64 - 1)
	if q.After != "" {
		var ok bool
		if before, ok = rd.Public.Decode(q.Site.ID, q.After); !ok {
			return nil, false, query.ErrBadCursor
		}
	}
	buf := make([]int64, index.PageRows)
	for i := len(v.Parts) - 1; i >= 0; i-- {
		p := &v.Parts[i]
		if p.First() >= before {
			continue
		}
		if err := v.budget.check(); err != nil {
			return nil, false, err
		}
		ords, hasGone := p.Get().Ints(col), begin != nil && p.HasGone()
		for page := (p.Get().Len() - 1) / index.PageRows; page >= 0; page-- {
			if err := v.budget.check(); err != nil {
				return nil, false, err
			}
			values := ords.Page(page, buf)
			for j := len(values) - 1; j >= 0; j-- {
				seq := p.First() + uint64(page*index.PageRows+j)
				if uint64(values[j]) != seq || seq >= before || !keep(seq) {
					continue
				}
				if hasGone && p.Gone(page*index.PageRows+j) {
					if oldest, err := begin(seq); err != nil {
						return nil, false, err
					} else if oldest == 0 {
						continue
					}
				}
				if len(seqs) == limit {
					return seqs, true, nil
				}
				seqs = append(seqs, seq)
			}
		}
		if err := p.Err(); err != nil {
			return nil, false, err
		}
	}
	return seqs, false, nil
}

// profile computes the profile of a person from its events. Traits are merged in the order
// of receipt: the last value wins and null deletes. Of the properties that track events give
// to a person (Rule.EventTraits) those of an older event do not replace those of a newer one.
// Increments add up. A group event puts
// the person into each of its groups. An inactive identify does not change LastSeen.
func (rd *Reader) profile(v *view, site *query.Site, p *person) (query.User, error) {
	u := query.User{Cursor: rd.Public.Encode(site.ID, p.root), Anonymous: slices.Clone(p.anons)}
	if err := rd.chooseID(v, p, &u); err != nil {
		return u, err
	}
	clause := p.clause()
	changes := index.Clause{Any: []index.Alt{{Field: event.FieldType, Terms: []string{string(event.Identify), string(event.Group), string(event.Increment)}}}}
	if alt, any := eventTraits(); any {
		changes.Any = append(changes.Any, alt)
	}
	var inactiveSeqs identity.OrdSet
	var merged traits
	var groups names
	given := newest{byKey: make(map[string]dated)} // by track events
	err := v.eachEvent([]index.Clause{clause, changes}, func(ev *event.Event) {
		if ev.Type != event.Group && ev.Extra.Get(event.RefusedUser).Kind != event.Absent {
			return
		}
		switch ev.Type {
		case event.Identify:
			if event.NewestRule(ev.Dialect).DeepTraits {
				merged.mergeDeep(ev.Properties)
			} else {
				merged.merge(ev.Properties)
			}
			if inactive(ev) {
				inactiveSeqs.Add(ev.Seq)
			}
		case event.Increment:
			merged.increment(ev.Name, ev.Value.Text)
		case event.Group:
			for _, g := range ev.Groups {
				groups.add(g)
			}
		case event.Track:
			if event.NewestRule(ev.Dialect).EventTraits {
				merged.merge(given.add(ev.Properties, ev.Time))
			}
		}
	})
	if err != nil {
		return u, err
	}
	var sessions identity.OrdSet
	seen, first := false, uint64(0)
	err = v.eachRow(newPredicate(clause), func(p *table.Part) func(int) {
		times, session := p.Get().Ints(event.IntTime), p.Get().Ints(event.IntSession)
		return func(row int) {
			t, seq := times.At(row), p.First()+uint64(row)
			if u.Events == 0 || t < u.FirstSeen {
				u.FirstSeen = t
			}
			if first == 0 || seq < first {
				first = seq
			}
			if !inactiveSeqs.Has(seq) {
				if !seen || t > u.LastSeen {
					u.LastSeen = t
				}
				seen = true
			}
			u.Events++
			sessions.Add(uint64(session.At(row)))
		}
	})
	if !seen {
		u.LastSeen = u.FirstSeen
	}
	if err == nil {
		err = v.backdateFirstSeen(&u, first)
	}
	u.Sessions = uint64(sessions.Len())
	u.Properties, u.Groups = merged.object(), groups.list
	slices.SortFunc(u.Properties, func(a, b event.Member) int { return strings.Compare(a.Key, b.Key) })
	return u, err
}

// eventTraits finds the events of dialects whose rule has EventTraits.
func eventTraits() (alt index.Alt, any bool) {
	alt.Field = event.FieldDialect
	for _, d := range event.Dialects {
		if event.NewestRule(d).EventTraits {
			alt.Terms = append(alt.Terms, string(d))
		}
	}
	return alt, len(alt.Terms) > 0
}

// DescribesUser finds the events that can set traits of their user, increments aside.
func DescribesUser() index.Clause {
	c := index.Clause{Any: []index.Alt{{Field: event.FieldType, Terms: []string{string(event.Identify)}}}}
	if alt, any := eventTraits(); any {
		c.Any = append(c.Any, alt)
	}
	return c
}

// backdateFirstSeen sets FirstSeen to the time of the first visit that the client sent with
// the person's first event, if the dialect has such a time and it is earlier.
func (v *view) backdateFirstSeen(u *query.User, first uint64) error {
	if first == 0 {
		return nil
	}
	ev, err := v.Event(first)
	if err != nil || ev == nil {
		return err
	}
	key := event.NewestRule(ev.Dialect).FirstVisitKey
	if key == "" {
		return nil
	}
	if ms, ok := event.UnixTime(ev.Extra.Get(key).Text); ok && ms < u.FirstSeen && ms > u.FirstSeen-firstVisitAgeMax {
		u.FirstSeen = ms
	}
	return nil
}

// firstVisitAgeMax is how long before the first event the first visit may be, in
// milliseconds.
const firstVisitAgeMax = 20 * 365 * calendar.DayMillis

// chooseID sets the ids of u. ID is the first user id that no alias replaced, else the first
// user id, else the first anonymous id.
func (rd *Reader) chooseID(v *view, p *person, u *query.User) error {
	if len(p.users) == 0 {
		if len(p.anons) > 0 {
			u.ID, u.Anonymous = p.anons[0], p.anons
		}
		return nil
	}
	u.ID = p.users[0]
	replaced := make(map[string]bool)
	if err := v.eachIDs(aliasOf(p.users...), func(ev *event.Event) {
		if ev.User != ev.Previous {
			replaced[ev.Previous] = true
		}
	}); err != nil {
		return err
	}
	for _, id := range p.users {
		if !replaced[id] {
			u.ID = id
			break
		}
	}
	for _, id := range p.users {
		if id != u.ID {
			u.Aliases = append(u.Aliases, id)
		}
	}
	return nil
}

// eachEvent calls fn with the events that satisfy clauses, oldest first.
func (v *view) eachEvent(clauses []index.Clause, fn func(*event.Event)) error {
	return v.eachEventOf(newPredicate(clauses...), fn)
}

// eachIDs calls fn with the ids and types of the events that satisfy clauses, oldest first. A
// site may have a thousand columns, so whole events take much longer.
func (v *view) eachIDs(clauses []index.Clause, fn func(*event.Event)) error {
	return v.eachRead(newPredicate(clauses...), table.NewIDReader, fn)
}

// eachEventOf calls fn with the events that satisfy pred, oldest first.
func (v *view) eachEventOf(pred *predicate, fn func(*event.Event)) error {
	return v.eachRead(pred, table.NewRowReader, fn)
}

// eachRead calls fn with what a reader of each part reads of the events that satisfy pred,
// oldest first.
func (v *view) eachRead(pred *predicate, reader func(index.Part) *table.RowReader, fn func(*event.Event)) error {
	c := clock{budget: v.budget}
	return v.eachRowUntil(pred, func(p *table.Part) func(int) error {
		var r *table.RowReader
		return func(row int) error {
			if r == nil {
				r = reader(p.Get())
			}
			ev, err := r.Read(row)
			if err != nil {
				return err
			}
			fn(ev)
			return c.countRow(r.Bytes)
		}
	})
}

// inactive reports whether an identify only describes a person, who was not active.
func inactive(ev *event.Event) bool {
	path := event.NewestRule(ev.Dialect).ActivePath
	return path != "" && event.GetPath(ev.Extra, path) == event.Boolean(false)
}

// Group returns a group, or query.ErrNotFound. The properties of a group event are traits of
// its first group. Its person becomes a member of all its groups.
func (rd *Reader) Group(ctx context.Context, site *query.Site, id string) (query.Group, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	g := query.Group{ID: id}
	found := false
	listed := make(map[string]bool)
	memberIDs := make(map[uint64]string)
	var merged traits
	people, err := v.persons()
	if err != nil {
		return g, err
	}
	err = v.eachEvent([]index.Clause{
		{Any: []index.Alt{{Field: event.FieldType, Terms: []string{string(event.Group)}}}},
		{Any: []index.Alt{{Field: event.FieldGroups, Terms: []string{id}}}},
	}, func(ev *event.Event) {
		found = true
		if ev.Groups[0] == id {
			merged.merge(ev.Properties)
		}
		if ev.PersonOrd != 0 {
			who := ev.User
			if who == "" {
				who = ev.Anonymous
			}
			memberIDs[people.Find(ev.PersonOrd)] = who
		}
	})
	if err != nil {
		return g, err
	}
	if !found {
		return g, query.ErrNotFound
	}
	for root := range memberIDs {
		p, err := v.person(root, appearance{})
		if err != nil {
			return g, err
		}
		var u query.User
		if err := rd.chooseID(v, p, &u); err != nil {
			return g, err
		}
		if !listed[u.ID] {
			listed[u.ID] = true
			g.Members = append(g.Members, u.ID)
		}
	}
	slices.Sort(g.Members)
	g.Properties = merged.object()
	slices.SortFunc(g.Properties, func(a, b event.Member) int { return strings.Compare(a.Key, b.Key) })
	if t := g.Properties.Get("type"); t.Kind == event.String {
		g.Type = t.Text
	}
	if n := g.Properties.Get("name"); n.Kind == event.String {
		g.Name = n.Text
	}
	return g, nil
}

// The model's persons, profiles, groups and sessions. Each is computed by replaying the whole
// log.

package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"sort"

	"cairn/engine/event"
	"cairn/engine/query"
)

// person is one person of a site, after every link and alias in the log.
type person struct {
	name   string              // canonical id: the first user id that no alias replaced, else the first id
	ids    map[string]struct{} // that living events have
	events []*event.Event      // that are not deleted
	first  *event.Event        // deleted or not
}

// people is the persons of a site, by each of their ids.
type people struct {
	events  int       // number of events it was computed from
	of      []*person // by seq-1; nil = nobody
	ids     map[identity]*person
	inOrder []*person // by first event
}

// identity is an id and its kind: ids of both kinds may have the same text.
type identity struct {
	anonymous bool
	id        string
}

// persons replays rule 9. An alias makes its previous id the same person as the caller: the
// user id of that text, and the anonymous id if it was never linked. An anonymous id belongs to
// the first person it is linked to.
func (s *modelSite) persons() *people {
	if s.people != nil && s.people.events == len(s.events) {
		return s.people
	}
	same := map[identity][]identity{} // links, both ways
	linked := map[string]bool{}       // anonymous ids
	replaced := map[string]bool{}     // user ids, by living aliases
	has := map[identity]bool{}        // ids that living events have
	var order []identity              // by first appearance
	living := true
	meet := func(i identity) {
		has[i] = has[i] || living
		if _, ok := same[i]; !ok {
			same[i] = nil
			order = append(order, i)
		}
	}
	join := func(a, b identity) { same[a], same[b] = append(same[a], b), append(same[b], a) }
	caller := func(e *event.Event) identity {
		if e.User != "" {
			return identity{false, e.User}
		}
		return identity{true, e.Anonymous}
	}
	for _, e := range s.events {
		who := caller(e)
		if living = !s.deleted[e.Seq]; who.id == "" {
			continue
		}
		meet(who)
		if twin := (identity{true, e.User}); e.Dialect == event.Opentracker && e.Anonymous == "" && !linked[e.User] {
			if _, known := same[twin]; known { // an id made for a visitor is sent as a user id
				linked[e.User] = true
				join(twin, who)
			}
		}
		if e.User != "" && e.Anonymous != "" {
			meet(identity{true, e.Anonymous})
			if !linked[e.Anonymous] {
				linked[e.Anonymous] = true
				join(identity{true, e.Anonymous}, who)
			}
		}
		for _, u := range s.united[e.Seq] {
			if !linked[u[0]] {
				linked[u[0]] = true
				join(identity{true, u[0]}, identity{true, u[1]})
			}
		}
		if e.Type != event.Alias || e.Previous == "" {
			continue
		}
		meet(identity{false, e.Previous})
		join(identity{false, e.Previous}, who)
		if e.User != e.Previous && living {
			replaced[e.Previous] = true
		}
		meet(identity{true, e.Previous})
		if !linked[e.Previous] {
			linked[e.Previous] = true
			join(identity{true, e.Previous}, who)
		}
	}
	p := &people{events: len(s.events), ids: map[identity]*person{}}
	s.people = p
	var spread func(i identity, who *person)
	spread = func(i identity, who *person) {
		if p.ids[i] == nil {
			if p.ids[i] = who; has[i] {
				who.ids[i.id] = struct{}{}
			}
			for _, other := range same[i] {
				spread(other, who)
			}
		}
	}
	for _, i := range order {
		if p.ids[i] == nil {
			spread(i, &person{ids: map[string]struct{}{}})
		}
	}
	for _, settle := range []func(i identity) bool{
		func(i identity) bool { return !i.anonymous && !replaced[i.id] },
		func(i identity) bool { return !i.anonymous },
		func(i identity) bool { return true },
	} {
		for _, i := range order {
			if who := p.ids[i]; who.name == "" && has[i] && settle(i) {
				who.name = i.id
			}
		}
	}
	for _, e := range s.events {
		who := p.ids[caller(e)] // nil for the empty id
		p.of = append(p.of, who)
		if who == nil {
			continue
		}
		if who.first == nil {
			who.first = e
			p.inOrder = append(p.inOrder, who)
		}
		if !s.deleted[e.Seq] {
			who.events = append(who.events, e)
		}
	}
	p.inOrder = slices.DeleteFunc(p.inOrder, func(who *person) bool { return len(who.events) == 0 })
	for i := range p.ids {
		if !has[i] {
			delete(p.ids, i)
		}
	}
	return p
}

// lookup returns the person with an id: with the user id rather than with the anonymous id.
func (p *people) lookup(id string) *person {
	if who := p.ids[identity{false, id}]; who != nil {
		return who
	}
	return p.ids[identity{true, id}]
}

// profile merges the events of a person in the order of receipt.
func (s *modelSite) profile(who *person) query.User {
	u := query.User{
		ID:        who.name,
		Events:    uint64(len(who.events)),
		Cursor:    who.first.ID,
		FirstSeen: who.events[0].Time,
	}
	seen := false
	given := map[string]int64{} // event times of what Opentracker's events gave
	u.Aliases = sorted(who.ids) // all ids: showUser makes one set of them
	sessions := map[uint64]struct{}{}
	groups := map[string]struct{}{}
	for _, e := range who.events {
		u.FirstSeen = min(u.FirstSeen, e.Time)
		asleep := e.Dialect == event.Segment && e.Type == event.Identify && event.GetPath(e.Extra, "context.active").Text == "false"
		if !asleep && (!seen || e.Time > u.LastSeen) {
			u.LastSeen, seen = e.Time, true
		}
		if e.SessionOrd != 0 {
			sessions[e.SessionOrd] = struct{}{}
		}
		switch e.Type {
		case event.Track:
			if e.Dialect != event.Opentracker {
				break
			}
			for _, m := range e.Properties {
				if at, ok := given[m.Key]; !ok || at <= e.Time {
					given[m.Key] = e.Time
					mergeTraits(&u.Properties, event.Object{m})
				}
			}
		case event.Identify:
			if e.Dialect == event.OpenPanel {
				mergeDeep(&u.Properties, e.Properties)
			} else {
				mergeTraits(&u.Properties, e.Properties)
			}
		case event.Increment:
			incrementTrait(&u.Properties, e.Name, e.Value)
		case event.Group:
			for _, g := range e.Groups {
				groups[g] = struct{}{}
			}
		}
	}
	if !seen {
		u.LastSeen = u.FirstSeen
	}
	if before := who.events[0].Extra.Get("_idts").Text; who.events[0].Dialect == event.Matomo && before == "1700000000" {
		u.FirstSeen = min(u.FirstSeen, 1_700_000_000_000)
	}
	u.Sessions, u.Groups = uint64(len(sessions)), sorted(groups)
	return u
}

func mergeTraits(into *event.Object, traits event.Object) {
	for _, t := range traits {
		if t.Value.Kind == event.Null {
			into.Delete(t.Key)
		} else {
			into.Set(t.Key, t.Value)
		}
	}
}

// mergeDeep is OpenPanel's merge: objects are merged key by key at any depth. Null and empty
// values change nothing.
func mergeDeep(into *event.Object, traits event.Object) {
	var deep func(below map[string]any, above map[string]any) map[string]any
	deep = func(below, above map[string]any) map[string]any {
		out := map[string]any{}
		maps.Copy(out, below)
		for k, v := range above {
			switch v := v.(type) {
			case nil:
			case string:
				if v != "" {
					out[k] = v
				}
			case map[string]any:
				inner, _ := out[k].(map[string]any)
				out[k] = deep(inner, v)
			default:
				out[k] = v
			}
		}
		return out
	}
	for _, t := range traits {
		if t.Value.Kind == event.Null || t.Value == event.Str("") {
			continue
		}
		if t.Value.Kind != event.JSON || t.Value.Text[0] != '{' {
			into.Set(t.Key, t.Value)
			continue
		}
		below := map[string]any{}
		if old := into.Get(t.Key); old.Kind == event.JSON && old.Text[0] == '{' {
			below = decodeJSON(old.Text).(map[string]any)
		}
		text, err := json.Marshal(deep(below, decodeJSON(t.Value.Text).(map[string]any)))
		if err != nil {
			panic(err)
		}
		into.Set(t.Key, event.Raw(string(text)))
	}
}

// incrementTrait adds a number to a numeric property. A missing property is 0.
func incrementTrait(into *event.Object, name string, by event.Value) {
	sum := new(big.Rat)
	if old := into.Get(name); old.Kind == event.Number {
		sum.SetString(old.Text)
	}
	delta := big.NewRat(1, 1)
	if by.Kind == event.Number {
		delta.SetString(by.Text)
	}
	into.Set(name, event.Num(decimal(sum.Add(sum, delta))))
}

func (m *model) User(_ context.Context, site *query.Site, id string) (query.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(site)
	who := s.persons().lookup(id)
	if who == nil || len(who.events) == 0 {
		return query.User{}, query.ErrNotFound
	}
	return s.profile(who), nil
}

// Users lists persons by their first event, newest first.
func (m *model) Users(_ context.Context, q query.Query) ([]query.User, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(q.Site)
	after, err := s.after(q.After)
	if err != nil {
		return nil, "", err
	}
	var users []query.User
	all, latest := s.persons().inOrder, map[*person]int64{}
	if len(q.Where) > 0 || q.From != 0 || q.To != 0 || q.ByLast { // persons of such events
		all = nil
		for _, who := range s.persons().inOrder {
			for _, e := range who.events {
				if s.matches(e, q.Where, q.From, q.To) {
					if at, known := latest[who]; !known || e.Time > at {
						latest[who] = e.Time
					}
				}
			}
			if _, any := latest[who]; any {
				all = append(all, who)
			}
		}
	}
	if q.ByLast {
		slices.SortStableFunc(all, func(a, b *person) int { return cmp.Compare(latest[a], latest[b]) })
		all = all[max(0, len(all)-q.Limit):]
	}
	for i := len(all) - 1; i >= 0; i-- {
		if after != 0 && all[i].first.Seq >= after {
			continue
		}
		if len(users) == q.Limit {
			return users, users[q.Limit-1].Cursor, nil
		}
		users = append(users, s.profile(all[i]))
	}
	return users, "", nil
}

func (m *model) Group(_ context.Context, site *query.Site, id string) (query.Group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(site)
	g := query.Group{ID: id}
	known := false
	members := map[string]struct{}{}
	for _, e := range s.living() {
		if e.Type != event.Group || !slices.Contains(e.Groups, id) {
			continue
		}
		known = true
		if e.Groups[0] == id {
			mergeTraits(&g.Properties, e.Properties)
		}
		if who := s.persons().of[e.Seq-1]; who != nil {
			members[who.name] = struct{}{}
		}
	}
	if !known {
		return g, query.ErrNotFound
	}
	g.Members = sorted(members)
	return g, nil
}

// summary computes the session that begins at seq ord.
func (s *modelSite) summary(ord uint64) query.Session {
	first, begin := s.events[ord-1], s.beginOf(ord)
	out := query.Session{ID: first.Session, Dialect: first.Dialect, Start: begin.Time, End: begin.Time, Cursor: first.ID}
	groups := map[string]struct{}{}
	views := 0
	for _, e := range s.living() {
		if e.SessionOrd != ord {
			continue
		}
		out.Events++
		out.Start, out.End = min(out.Start, e.Time), max(out.End, e.Time)
		for _, g := range e.Groups {
			groups[g] = struct{}{}
		}
		switch e.Type {
		case event.Page, event.Screen:
			out.Actions++
			views++
		case event.Track, event.Download, event.Outlink, event.Search:
			out.Actions++
		}
	}
	out.Groups, out.Bounce = sorted(groups), out.Actions <= 1
	if out.Dialect == event.Matomo {
		out.Beyond, out.Campaign, out.Properties = s.beyond(ord, out.Start, out.End)
	}
	if out.Dialect == event.OpenPanel {
		out.Bounce = views < 2
	}
	return out
}

// Session finds the newest session with an id, or the one with a key.
func (m *model) Session(_ context.Context, site *query.Site, id string) (query.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(site)
	for _, e := range slices.Backward(s.events) {
		if e.SessionOrd == e.Seq && (e.Session == id || e.ID == id) && s.beginOf(e.Seq) != nil {
			return s.summary(e.Seq), nil
		}
	}
	return query.Session{}, query.ErrNotFound
}

// Sessions lists sessions by their first event, newest first. A session is listed if one of its
// events has the person or the anonymous id of the query.
func (m *model) Sessions(_ context.Context, q query.Query) ([]query.Session, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(q.Site)
	after, err := s.after(q.After)
	if err != nil {
		return nil, "", err
	}
	wanted := map[uint64]struct{}{}
	for _, e := range s.selected(q) {
		if e.SessionOrd != 0 {
			wanted[e.SessionOrd] = struct{}{}
		}
	}
	ords := make([]uint64, 0, len(wanted))
	for ord := range wanted {
		ords = append(ords, ord)
	}
	slices.Sort(ords)
	slices.Reverse(ords)
	var out []query.Session
	for _, ord := range ords {
		if after != 0 && ord >= after {
			continue
		}
		if len(out) == q.Limit {
			return out, out[q.Limit-1].Cursor, nil
		}
		out = append(out, s.summary(ord))
	}
	return out, "", nil
}

func sorted(set map[string]struct{}) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

// leavesOf returns the terms of all scalar leaves by dotted path, each once.
func leavesOf(o event.Object) map[string][]string {
	out := map[string][]string{}
	add := func(path string, v event.Value) {
		for _, t := range termsOf(v) {
			if !slices.Contains(out[path], t) {
				out[path] = append(out[path], t)
			}
		}
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				walk(path+"."+k, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path, inner)
			}
		case string:
			add(path, event.Str(v))
		case json.Number:
			add(path, event.Num(v.String()))
		case bool:
			add(path, event.Boolean(v))
		}
	}
	for _, m := range o {
		if m.Value.Kind == event.JSON {
			walk(m.Key, decodeJSON(m.Value.Text))
		} else {
			add(m.Key, m.Value)
		}
	}
	return out
}

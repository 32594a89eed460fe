// The model: an engine in memory that is so simple that it is easily seen to be right. It keeps
// every event in a slice and reads all of them for each query. The metamorphic test compares
// the real engine with it.
//
// Only the engine can choose public ids and generated session ids. The model takes them from
// the engine's outcomes and checks their form; see adopt.

package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

const (
	sessionGap   = 30 * time.Minute
	valuesPerDay = 10_000
	namesPerDay  = 4096
	deviceLate   = 15 * time.Minute // of OpenPanel
	aheadMost    = 24 * time.Hour
	idBytesMax   = 256
)

// model implements engine.API by the rules alone.
type model struct {
	mu    sync.Mutex
	now   func() time.Time
	sites map[uint32]*modelSite

	namesPerDay, valuesPerDay int
}

// modelSite is the log of one site, and what ingest remembers about it.
type modelSite struct {
	model    *model
	site     *query.Site
	events   []*event.Event // events[i].Seq == i+1
	byID     map[string]*event.Event
	messages map[messageKey]*event.Event
	visits   map[visitorKey]*visit          // sessions by idle time
	sent     map[sentKey]uint64             // sessions by the id a client sent → ordinal
	texts    map[uint64]string              // session ordinal → the id the engine chose
	hits     modelVisits                    // of Matomo's
	united   map[uint64][][2]string         // by seq, fingerprints and what they are linked to
	named    modelSessions                  // of dialects whose session ids are names within a visitor
	values   map[dayKey]map[string]struct{} // values counted under their own name
	names    map[int32]map[string]struct{}  // names counted by themselves
	people   *people                        // of the first people.events events
	counted  map[uint64][]count             // what each event counts, by seq
	leaves   map[uint64]map[string][]string // terms of the properties, by seq and path
	extras   map[uint64]map[string][]string // the same of extra
	deleted  map[uint64]bool                // by seq
	left     []*event.Event                 // see living; nil = not known
	zones    modelZones
}

type messageKey struct {
	dialect event.Dialect
	id      string
}

type visitorKey struct {
	dialect event.Dialect
	id      string // anonymous id, else user
}

type sentKey struct {
	dialect event.Dialect
	id      string
}

type dayKey struct {
	property string
	day      int32
}

// visit is the current session of a visitor.
type visit struct {
	ord  uint64
	last int64 // the latest event time, Unix milliseconds
}

var _ engine.API = (*model)(nil)

func newModel(now func() time.Time) *model {
	return &model{now: now, sites: map[uint32]*modelSite{}, namesPerDay: namesPerDay, valuesPerDay: valuesPerDay}
}

func (m *model) of(site *query.Site) *modelSite {
	s := m.sites[site.ID]
	if s == nil {
		s = &modelSite{
			model:    m,
			site:     site,
			byID:     map[string]*event.Event{},
			messages: map[messageKey]*event.Event{},
			visits:   map[visitorKey]*visit{},
			sent:     map[sentKey]uint64{},
			texts:    map[uint64]string{},
			values:   map[dayKey]map[string]struct{}{},
			names:    map[int32]map[string]struct{}{},
			counted:  map[uint64][]count{},
			leaves:   map[uint64]map[string][]string{},
			extras:   map[uint64]map[string][]string{},
		}
		m.sites[site.ID] = s
	}
	return s
}

// Ingest stores the good records in order. Outcomes carry no ID, and Session
// only where it was sent; see adopt.
func (m *model) Ingest(_ context.Context, records []engine.Record, all bool, _ *engine.Memory) ([]event.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]event.Outcome, len(records))
	rejected := false
	for i, r := range records {
		if err := refuse(&r.Event); err != nil {
			out[i] = event.Outcome{Status: event.Rejected, Err: err}
			rejected = true
		}
	}
	if rejected && all {
		for i := range out {
			out[i].Status = event.Rejected
		}
		return out, nil
	}
	received := m.now().UnixMilli()
	for i, r := range records {
		if out[i].Status == event.Rejected {
			continue
		}
		s := m.of(&r.Site.Site)
		key := messageKey{r.Event.Dialect, r.Event.MessageID}
		if first, ok := s.messages[key]; ok && key.id != "" {
			out[i] = event.Outcome{Status: event.Duplicate, Seq: first.Seq, ID: first.ID, Session: first.Session}
			continue
		}
		r.Record = copyRecord(r.Record)
		e := &r.Event
		e.NotCounted = r.Site.Uncounted
		e.Received, e.Site, e.Seq = received, r.Site.Name, uint64(len(s.events))+1
		if e.Time == 0 || e.Time > e.Received+aheadMost.Milliseconds() {
			e.Time = e.Received
		}
		if r.Hit != nil {
			if status, err := s.hit(r.Record); status != event.Stored {
				out[i] = event.Outcome{Status: status, Err: err}
				continue
			}
		}
		s.append(r.Record)
		out[i] = event.Outcome{Status: event.Stored, Seq: e.Seq, Session: e.Session}
	}
	return out, nil
}

// append takes every decision of ingest for an event whose Seq, Site, Received and
// NotCounted are set, and adds it to the log.
func (s *modelSite) append(r *event.Record) {
	e := &r.Event
	e.Day = dayOf(e.Time, s.site.Location)
	e.SessionSent = e.Session != ""
	e.SessionOrd = s.session(r)
	s.leaves[e.Seq], s.extras[e.Seq] = leavesOf(e.Properties), leavesOf(e.Extra)
	if s.zones.changed() {
		s.counted[e.Seq] = nil // see capsOf
	} else {
		s.counted[e.Seq] = s.capped(e, countsOf(e, countedLeaves(e.Properties)))
	}
	if e.MessageID != "" {
		s.messages[messageKey{e.Dialect, e.MessageID}] = e
	}
	s.events, s.left = append(s.events, e), nil
}

// session gives the ordinal of e's session, 0 for none (rule 10). Opentracker's
// clients learn their session's id and send it: a sent session is then the
// visitor's current one, and an event out of its time begins a session too.
func (s *modelSite) session(r *event.Record) uint64 {
	e := &r.Event
	if r.Hit != nil {
		return s.visit(r)
	}
	if e.Dialect == event.Native || e.Dialect == event.Segment {
		return s.named.session(e)
	}
	tracker := e.Dialect == event.Opentracker
	key := visitorKey{e.Dialect, e.Anonymous}
	if key.id == "" {
		key.id = e.User
	}
	v := s.visits[key]
	if e.Session != "" {
		sent := sentKey{e.Dialect, e.Session}
		if _, ok := s.sent[sent]; !ok {
			s.sent[sent] = e.Seq
		}
		ord := s.sent[sent]
		switch {
		case !tracker || key.id == "":
		case v != nil && v.ord == ord:
			v.last = max(v.last, e.Time)
		case v == nil || e.Time >= v.last:
			s.visits[key] = &visit{ord, e.Time}
		}
		return ord
	}
	if key.id == "" || r.Visit.Ask && e.Time < e.Received-deviceLate.Milliseconds() {
		return 0
	}
	gap := sessionGap.Milliseconds()
	switch e.Dialect {
	case event.OpenPanel:
		if e.Type != event.Track && e.Type != event.Page {
			return 0
		}
		gap++ // a gap of exactly 30:00 does not end the session
	case event.Opentracker:
	default:
		return 0
	}
	switch {
	case v == nil || e.Time-v.last >= gap:
		if r.Visit.Ask && r.Source.UserAgent == "" {
			return 0
		}
		v = &visit{ord: e.Seq, last: e.Time}
		s.visits[key] = v
	case v.last-e.Time > sessionGap.Milliseconds():
		if tracker {
			return e.Seq
		}
		return 0
	}
	v.last = max(v.last, e.Time)
	return v.ord
}

// capped replaces a day's values over the cap by event.Other and lists them in the event (rule
// D13).
func (s *modelSite) capped(e *event.Event, counts []count) (out []count) {
	names := s.names[e.Day]
	if names == nil {
		names = map[string]struct{}{}
		s.names[e.Day] = names
	}
	for _, c := range counts {
		if _, ok := names[c.property]; !ok && !freeName(c.property) {
			if len(names) >= s.model.namesPerDay {
				e.CappedNames = append(e.CappedNames, c.property)
				continue
			}
			names[c.property] = struct{}{}
		}
		key := dayKey{c.property, e.Day}
		known := s.values[key]
		if known == nil {
			known = map[string]struct{}{}
			s.values[key] = known
		}
		if _, ok := known[c.term]; !ok && c.term != event.Other && len(known) >= s.model.valuesPerDay {
			e.Capped = append(e.Capped, event.Term{Property: c.property, Value: c.term})
			c.term = event.Other
		} else if c.term != event.Other {
			known[c.term] = struct{}{}
		}
		if !slices.Contains(out, c) { // two values over the cap are one
			out = append(out, c)
		}
	}
	slices.Sort(e.CappedNames)
	e.CappedNames = slices.Compact(e.CappedNames)
	return withOther(e, out)
}

// freeName reports whether no cap applies to the name of a property.
func freeName(property string) bool {
	return property == "name" || property == event.Other || slices.Contains(detected, property)
}

// withOther adds what the names over the cap count together.
func withOther(e *event.Event, counts []count) []count {
	if len(e.CappedNames) > 0 && !slices.Contains(e.NotCounted, event.Other) {
		if c := (count{event.Other, event.Other, amountOf(e, event.Other)}); !slices.Contains(counts, c) {
			counts = append(counts, c)
		}
	}
	return counts
}

// adopt takes over the ids the engine chose for what both have just stored. It
// complains about ids of a wrong shape or that are not new.
func (m *model) adopt(records []engine.Record, mine, theirs []event.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, o := range mine {
		if o.Status != event.Stored {
			continue
		}
		s := m.of(&records[i].Site.Site)
		e := s.events[o.Seq-1]
		id, session := theirs[i].ID, theirs[i].Session
		if e.SessionOrd == 0 && records[i].Visit.Ask {
			session = "" // of its device, or of none yet
		}
		if !hex32(id) {
			return fmt.Errorf("record %d: id %q is not 32 lower-case hex characters", i, id)
		}
		if s.byID[id] != nil {
			return fmt.Errorf("record %d: id %s is already that of seq %d", i, id, s.byID[id].Seq)
		}
		e.ID, s.byID[id] = id, e
		switch text, known := s.texts[e.SessionOrd]; {
		case e.SessionOrd == 0 && session != e.Session:
			return fmt.Errorf("record %d: has session %q, wants none", i, session)
		case e.SessionOrd == 0:
		case e.Session != "" && session != e.Session:
			return fmt.Errorf("record %d: session %q, sent %q", i, session, e.Session)
		case known && session != text:
			return fmt.Errorf("record %d (seq %d): session %q, wants %q of seq %d", i, e.Seq, session, text, e.SessionOrd)
		case known:
		case e.Session != "" && (e.Dialect == event.Native || e.Dialect == event.Segment): // several sessions may have the name
			s.texts[e.SessionOrd] = session
		case e.Session == "" && !hex32(session) && !(e.Dialect == event.OpenPanel && len(session) == 22):
			return fmt.Errorf("record %d: session %q is not 32 lower-case hex characters", i, session)
		default:
			for ord, text := range s.texts {
				if text == session && s.events[ord-1].Dialect == e.Dialect {
					return fmt.Errorf("record %d (seq %d): session %q is that of seq %d, wants a new one", i, e.Seq, session, ord)
				}
			}
			s.texts[e.SessionOrd] = session
			if e.Session == "" && e.Dialect == event.Opentracker {
				s.sent[sentKey{e.Dialect, session}] = e.SessionOrd // now the client knows it
			}
		}
		e.Session = session
	}
	return nil
}

// refuse rejects what no dialect may pass on.
func refuse(e *event.Event) *event.FieldError {
	for field, v := range map[string]string{
		"user": e.User, "anonymous": e.Anonymous, "session": e.Session, "message_id": e.MessageID,
	} {
		if len(v) > idBytesMax {
			return &event.FieldError{Field: field, Msg: "too long"}
		}
	}
	if !slices.Contains(event.Types, e.Type) {
		return &event.FieldError{Field: "type", Msg: "unknown"}
	}
	return nil
}

func copyEvent(e *event.Event) *event.Event {
	c := *e
	c.Groups = slices.Clone(e.Groups)
	c.Properties = slices.Clone(e.Properties)
	c.Context = slices.Clone(e.Context)
	c.Extra = slices.Clone(e.Extra)
	c.Increments = slices.Clone(e.Increments)
	c.Segments = slices.Clone(e.Segments)
	return &c
}

func copyRecord(r *event.Record) *event.Record {
	c := *r
	c.Event = *copyEvent(&r.Event)
	return &c
}

func hex32(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// dayOf returns the number of days since 1970-01-01 in the zone.
func dayOf(unixMilli int64, loc *time.Location) int32 {
	if loc == nil {
		loc = time.UTC
	}
	y, m, d := time.UnixMilli(unixMilli).In(loc).Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// selected returns the events of a query in the order of seq.
func (s *modelSite) selected(q query.Query) []*event.Event {
	var out []*event.Event
	for _, e := range s.living() {
		if s.matches(e, q.Where, q.From, q.To) {
			out = append(out, e)
		}
	}
	return out
}

// living returns the events that are not deleted. All that ingest decides is decided by those that
// are as well.
func (s *modelSite) living() []*event.Event {
	if len(s.deleted) == 0 {
		return s.events
	}
	if s.left == nil {
		for _, e := range s.events {
			if !s.deleted[e.Seq] {
				s.left = append(s.left, e)
			}
		}
	}
	return s.left
}

// beginOf returns the oldest living event of a session, nil when there is none.
func (s *modelSite) beginOf(ord uint64) *event.Event {
	for _, e := range s.living() {
		if e.SessionOrd == ord {
			return e
		}
	}
	return nil
}

// Delete deletes the events that a deletion selects, and returns how many.
func (m *model) Delete(site *query.Site, d query.Deletion) (rows uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(site)
	taken := s.selected(query.Query{Site: site, Where: d.Where, From: d.From, To: d.To})
	for _, e := range taken {
		if s.deleted == nil {
			s.deleted = map[uint64]bool{}
		}
		s.deleted[e.Seq] = true
	}
	s.left, s.people = nil, nil
	return uint64(len(taken))
}

func (s *modelSite) matches(e *event.Event, where []query.Cond, from, to int64) bool {
	if from != 0 && e.Time < from || to != 0 && e.Time >= to {
		return false
	}
	for _, c := range where {
		if s.holds(e, c) == c.Op.Negated() {
			return false
		}
	}
	return true
}

// after returns where a listing goes on: the seq of a public id of the site, or 0 for the
// start.
func (s *modelSite) after(id string) (uint64, error) {
	if id == "" {
		return 0, nil
	}
	e := s.byID[id]
	if e == nil {
		return 0, query.ErrBadCursor
	}
	return e.Seq, nil
}

func (m *model) List(_ context.Context, q query.Query) (query.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(q.Site)
	after, err := s.after(q.After)
	if err != nil {
		return query.Page{}, err
	}
	events := s.selected(q)
	if !q.Ascending {
		slices.Reverse(events)
	}
	var page query.Page
	skip := q.Skip
	for _, e := range events {
		if after != 0 && (q.Ascending && e.Seq <= after || !q.Ascending && e.Seq >= after) {
			continue
		}
		if skip--; skip >= 0 {
			continue
		}
		if len(page.Events) == q.Limit {
			page.Next = page.Events[q.Limit-1].ID
			break
		}
		page.Events = append(page.Events, e)
	}
	return page, nil
}

func (m *model) Event(_ context.Context, site *query.Site, id string) (*event.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(site)
	e := s.byID[id]
	switch {
	case e == nil:
		return nil, query.ErrBadCursor
	case s.deleted[e.Seq]:
		return nil, query.ErrNotFound
	}
	return e, nil
}

// totalsCounter counts events and their distinct users and sessions.
type totalsCounter struct {
	events          int64
	users, sessions map[any]struct{}
}

func newTotalsCounter() *totalsCounter {
	return &totalsCounter{users: map[any]struct{}{}, sessions: map[any]struct{}{}}
}

func (t *totalsCounter) add(by int64, person *person, session uint64) {
	t.events += by
	if person != nil {
		t.users[person] = struct{}{}
	}
	if session != 0 {
		t.sessions[session] = struct{}{}
	}
}

func (t *totalsCounter) totals() query.Totals {
	return query.Totals{Events: uint64(t.events), Users: uint64(len(t.users)), Sessions: uint64(len(t.sessions))}
}

func (m *model) Count(_ context.Context, q query.Query) (query.Totals, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(q.Site)
	t := newTotalsCounter()
	for _, e := range s.selected(q) {
		t.add(1, s.persons().of[e.Seq-1], e.SessionOrd)
	}
	return t.totals(), nil
}

// Series returns the buckets that have events, in order.
func (m *model) Series(_ context.Context, q query.Query, interval string, loc *time.Location) ([]query.Bucket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(q.Site)
	tallies := map[int64]*totalsCounter{}
	for _, e := range s.selected(q) {
		at := bucketStart(e.Time, interval, loc)
		if tallies[at] == nil {
			tallies[at] = newTotalsCounter()
		}
		tallies[at].add(1, s.persons().of[e.Seq-1], e.SessionOrd)
	}
	var out []query.Bucket
	for at, t := range tallies {
		out = append(out, query.Bucket{Time: at, Totals: t.totals()})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Time < out[j].Time })
	return out, nil
}

func bucketStart(unixMilli int64, interval string, loc *time.Location) int64 {
	t := time.UnixMilli(unixMilli).In(loc)
	y, mo, d := t.Date()
	switch interval {
	case "minute":
		t = t.Truncate(time.Minute)
	case "hour":
		t = t.Truncate(time.Hour) // the zones of these tests differ from UTC by whole hours
	case "day":
		t = midnight(y, mo, d, loc)
	case "week": // ISO: from Monday
		t = midnight(y, mo, d-(int(t.Weekday())+6)%7, loc)
	case "month":
		t = midnight(y, mo, 1, loc)
	}
	return t.UnixMilli()
}

// midnight returns the first instant of a day. The clock may skip midnight, or show it twice.
func midnight(y int, m time.Month, d int, loc *time.Location) time.Time {
	day := time.Date(y, m, d, 12, 0, 0, 0, time.UTC).Day()
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	for t.Day() != day {
		t = t.Add(time.Minute)
	}
	if twice := t.Add(-time.Hour); twice.Day() == day {
		return twice
	}
	return t
}

func (m *model) Snapshot(context.Context, string) (query.Snapshot, error) {
	return query.Snapshot{}, nil
}
func (m *model) Admit() error                  { return nil }
func (m *model) Ready() error                  { return nil }
func (m *model) Stats() engine.Stats           { return engine.Stats{} }
func (m *model) StoreMetrics() []engine.Metric { return nil }

// The model agrees with examples of the rules.
func TestModelSessions(t *testing.T) {
	min := time.Minute.Milliseconds()
	at := func(dialect event.Dialect, typ event.Type, anonymous, user string, minutes int64) *event.Event {
		return &event.Event{Dialect: dialect, Type: typ, Name: "x", Anonymous: anonymous, User: user, Time: epoch.UnixMilli() + minutes*min}
	}
	sent := func(e *event.Event, id string) *event.Event { e.Session = id; return e }
	for _, c := range []struct {
		name   string
		events []*event.Event
		want   []uint64 // ordinal of each event's session
	}{
		{"under the gap", []*event.Event{at("native", "track", "a", "", 0), at("native", "page", "a", "", 29)}, []uint64{1, 1}},
		{"a gap of 30:00 is new", []*event.Event{at("native", "track", "a", "", 0), at("native", "track", "a", "", 30)}, []uint64{1, 2}},
		{"30:00 older still belongs", []*event.Event{at("native", "track", "a", "", 0), at("native", "track", "a", "", -30)}, []uint64{1, 1}},
		{"over 30:00 older has none", []*event.Event{at("native", "track", "a", "", 0), at("native", "track", "a", "", -31)}, []uint64{1, 0}},
		{"idle from the latest", []*event.Event{at("native", "track", "a", "", 0), at("native", "track", "a", "", -20), at("native", "track", "a", "", 29)}, []uint64{1, 1, 1}},
		{"the anonymous id leads", []*event.Event{at("native", "track", "a", "", 0), at("native", "track", "a", "u", 1), at("native", "track", "", "u", 2)}, []uint64{1, 1, 1}},
		{"a server's order is in the visit of its buyer", []*event.Event{at("segment", "page", "a", "u", 0), at("segment", "order", "", "u", 30), at("segment", "page", "a", "", 59)}, []uint64{1, 1, 1}},
		{"a user who is not seen near has a session of its own", []*event.Event{at("native", "page", "a", "u", 0), at("native", "order", "", "u", 31), at("native", "order", "", "u", 32)}, []uint64{1, 2, 2}},
		{"the newest session of the id, sent or not", []*event.Event{sent(at("native", "page", "a", "u", 0), "s"), at("native", "page", "a", "", 1), at("native", "order", "", "u", 2), sent(at("native", "page", "b", "u", 3), "s"), at("native", "order", "", "u", 4)}, []uint64{1, 2, 2, 1, 1}},
		{"the id that the user was seen with last", []*event.Event{at("native", "page", "a", "u", 0), at("native", "page", "b", "u", -10), at("native", "order", "", "u", 2)}, []uint64{1, 2, 1}},
		{"a name is one within its visitor", []*event.Event{sent(at("native", "page", "a", "", 0), "1"), sent(at("native", "page", "b", "", 1), "1"), sent(at("native", "page", "a", "u", 2), "1"), sent(at("native", "page", "", "u", 3), "1"), sent(at("native", "page", "b", "u", 4), "1")}, []uint64{1, 2, 1, 1, 2}},
		{"24 hours after a name's last", []*event.Event{sent(at("native", "page", "a", "", -48*60), "1"), sent(at("native", "page", "a", "", -24*60-1), "1"), sent(at("native", "page", "a", "", -1), "1")}, []uint64{1, 1, 3}},
		{"24 hours before its first", []*event.Event{sent(at("native", "page", "a", "", 0), "1"), sent(at("native", "page", "a", "", 1-24*60), "1"), sent(at("native", "page", "a", "", 1-48*60), "1"), sent(at("native", "page", "a", "", 5), "1")}, []uint64{1, 1, 3, 1}},
		{"nobody's name is no session", []*event.Event{sent(at("native", "page", "", "", 0), "1"), sent(at("native", "page", "a", "", 0), "1")}, []uint64{0, 2}},
		{"dialects apart", []*event.Event{at("native", "track", "a", "", 0), at("segment", "track", "a", "", 1)}, []uint64{1, 2}},
		{"identify has none", []*event.Event{at("native", "identify", "a", "u", 0), at("native", "screen", "a", "u", 0)}, []uint64{0, 2}},
		{"openpanel's gap is over 30:00", []*event.Event{at("openpanel", "track", "a", "", 0), at("openpanel", "page", "a", "", 30), at("openpanel", "track", "a", "", 61)}, []uint64{1, 1, 3}},
		{"opentracker goes on with the session sent", []*event.Event{sent(at("opentracker", "track", "a", "", 0), "s"), at("opentracker", "track", "a", "", 29), at("opentracker", "track", "a", "", -31)}, []uint64{1, 1, 3}},
		{"oppizi has none", []*event.Event{at("oppizi", "track", "", "u", 0)}, []uint64{0}},
		{"nobody has none", []*event.Event{at("native", "track", "", "", 0)}, []uint64{0}},
		{"as sent", []*event.Event{sent(at("native", "track", "a", "", 0), "s"), sent(at("native", "identify", "a", "", 90), "s"), sent(at("segment", "track", "a", "", 0), "s")}, []uint64{1, 1, 3}},
		{"a session that opentracker sends is the site's", []*event.Event{sent(at("opentracker", "track", "a", "", 0), "s"), sent(at("opentracker", "track", "b", "", 99999), "s")}, []uint64{1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(func() time.Time { return epoch })
			site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}}
			for i, e := range c.events {
				if _, err := m.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *e}}}, false, nil); err != nil {
					t.Fatal(err)
				}
				if got := m.sites[1].events[i].SessionOrd; got != c.want[i] {
					t.Errorf("event %d: session %d, want %d", i+1, got, c.want[i])
				}
			}
		})
	}
}

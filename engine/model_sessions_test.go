// The model's sessions of dialects whose session ids are names within a visitor: a list of all
// sessions with the time of each row.

package engine_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"context"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const nameIdle = 24 * time.Hour

// modelSession is a session with all of its rows.
type modelSession struct {
	ord      uint64
	dialect  event.Dialect
	name     string // "" when no client named it
	rows     []int64
	visitors []string // ids that have been in it, with "a:" or "u:" in front
}

// modelSessions is the sessions of a site, and when each user was last seen with which
// anonymous id.
type modelSessions struct {
	all  []*modelSession
	seen map[visitorKey]sighting
}

type sighting struct {
	anonymous string
	time      int64
}

// near reports whether a row of the session is at most half an hour before or after a time.
func (m *modelSession) near(at int64) bool {
	return slices.ContainsFunc(m.rows, func(row int64) bool {
		return row-at <= sessionGap.Milliseconds() && at-row <= sessionGap.Milliseconds()
	})
}

// of returns the sessions of a dialect that an id has been in and ok accepts, the newest first.
func (m *modelSessions) of(d event.Dialect, visitor string, ok func(*modelSession) bool) (list []*modelSession) {
	for i := len(m.all) - 1; i >= 0; i-- {
		if s := m.all[i]; s.dialect == d && slices.Contains(s.visitors, visitor) && ok(s) {
			list = append(list, s)
		}
	}
	return list
}

// take adds a row of an event, and the ids that are in the session from then on.
func (m *modelSession) take(e *event.Event, visitors ...string) uint64 {
	m.rows = append(m.rows, e.Time)
	for _, v := range visitors {
		if !slices.Contains(m.visitors, v) {
			m.visitors = append(m.visitors, v)
		}
	}
	return m.ord
}

func (m *modelSessions) begin(e *event.Event) *modelSession {
	s := &modelSession{ord: e.Seq, dialect: e.Dialect, name: e.Session}
	m.all = append(m.all, s)
	return s
}

// session returns the ordinal of an event's session.
func (m *modelSessions) session(e *event.Event) uint64 {
	if m.seen == nil {
		m.seen = map[visitorKey]sighting{}
	}
	user := visitorKey{e.Dialect, e.User}
	if before, known := m.seen[user]; e.User != "" && e.Anonymous != "" && (!known || e.Time >= before.time) {
		m.seen[user] = sighting{e.Anonymous, e.Time}
	}
	var ids []string
	if e.Anonymous != "" {
		ids = append(ids, "a:"+e.Anonymous)
	}
	if e.User != "" {
		ids = append(ids, "u:"+e.User)
	}
	if len(ids) == 0 {
		return 0
	}
	if e.Session != "" {
		for _, id := range ids {
			named := m.of(e.Dialect, id, func(s *modelSession) bool { return s.name == e.Session })
			for _, s := range named[:min(len(named), 4)] { // an id remembers four sessions of a name
				if e.Time-slices.Max(s.rows) < nameIdle.Milliseconds() && slices.Min(s.rows)-e.Time < nameIdle.Milliseconds() {
					return s.take(e, ids...)
				}
			}
		}
		return m.begin(e).take(e, ids...)
	}
	switch e.Type {
	case event.Identify, event.Group, event.Alias, event.Increment:
		return 0
	}
	if seen := m.seen[user]; e.Anonymous == "" && seen.anonymous != "" {
		all := m.of(e.Dialect, "a:"+seen.anonymous, func(*modelSession) bool { return true })
		if len(all) > 0 && all[0].near(e.Time) {
			if all[0].name == "" {
				return all[0].take(e)
			}
			return all[0].take(e, ids...)
		}
	}
	own := m.of(e.Dialect, ids[0], func(s *modelSession) bool { return s.name == "" })
	switch {
	case len(own) == 0 || e.Time-slices.Max(own[0].rows) >= sessionGap.Milliseconds():
		return m.begin(e).take(e, ids[0])
	case slices.Max(own[0].rows)-e.Time > sessionGap.Milliseconds():
		return 0
	}
	return own[0].take(e)
}

// Sessions of the native dialect and Segment's, with few visitors, names and users, and times
// around which sessions end. The engine agrees with the model about each event, whether it keeps
// ids in memory or not, after a stop, and after a crash that makes it replay the log. Check finds
// nothing wrong.
func TestSessionsOfVisitors(t *testing.T) {
	for seed := range uint64(10) {
		sessionsOfVisitors(t, rand.New(rand.NewPCG(seed, 10)), seed)
	}
}

func sessionsOfVisitors(t *testing.T, dice *rand.Rand, seed uint64) {
	t.Helper()
	fs := newCrashable()
	site := &engine.Site{Site: query.Site{ID: 7, Name: "shop"}}
	open := func() *engine.Engine {
		e, err := engine.Open(engine.Options{
			Dir: "data", FS: fs, Reserve: -1, Sites: engine.SitesOf(site), Memory: 64 << 20, SealRows: 40, MergeRuns: 3,
			IDPart: 1 << (8 + dice.IntN(8)), Now: func() time.Time { return epoch.Add(1000 * 24 * time.Hour) },
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		return e
	}
	one := func(from ...string) string { return from[dice.IntN(len(from))] }
	e := open()
	var model modelSessions
	var keys []string
	var times []int64
	clock := epoch.UnixMilli()
	for seq := uint64(1); seq <= 400; seq++ {
		gaps := []time.Duration{time.Second, time.Minute, 29 * time.Minute, 30*time.Minute - time.Millisecond, 30 * time.Minute, 31 * time.Minute, time.Hour, 61 * time.Minute, 5 * time.Hour, 24*time.Hour - time.Millisecond, 24 * time.Hour}
		at := clock + gaps[dice.IntN(len(gaps)-dice.IntN(8))].Milliseconds()
		if dice.IntN(4) == 0 {
			at = clock - gaps[dice.IntN(len(gaps))].Milliseconds()
		}
		if at > clock && dice.IntN(3) > 0 {
			clock = at
		}
		near := []time.Duration{0, 30*time.Minute - time.Millisecond, 30 * time.Minute, 30*time.Minute + time.Millisecond}
		if n := len(times); n > 0 && dice.IntN(3) == 0 { // about half an hour before or after an earlier event
			at = times[n-1-dice.IntN(min(n, 20))] + near[dice.IntN(4)].Milliseconds()*int64(1-2*dice.IntN(2))
		}
		times = append(times, at)
		ev := &event.Event{
			Dialect: event.Native, Type: event.Types[dice.IntN(len(event.Types))], Name: "x", Time: at,
			Anonymous: one("", "a1", "a1", "a2", "x"), User: one("", "", "u1", "u1", "u2", "x"), Session: one("", "", "1", "1", "2"),
		}
		if dice.IntN(3) == 0 {
			ev.Dialect = event.Segment
		}
		if dice.IntN(3) == 0 { // a server's event
			ev.Type, ev.Anonymous, ev.User, ev.Session = event.Order, "", one("u1", "u2"), ""
		}
		if ev.Type == event.Increment {
			ev.Value = event.Num("1")
		}
		r := &event.Record{Event: *ev}
		ev.Seq = seq
		want := model.session(ev)
		out, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: r}}, true, nil)
		if err != nil || out[0].Status != event.Stored {
			t.Fatalf("seed %d: event %d: %+v, %v", seed, seq, out[0], err)
		}
		keys = append(keys, out[0].ID)
		page, err := e.List(t.Context(), query.Query{Site: &site.Site, Limit: 1})
		if err != nil || page.Events[0].SessionOrd != want {
			t.Fatalf("seed %d: event %d (%+v): session %d, %v; want %d", seed, seq, ev, page.Events[0].SessionOrd, err, want)
		}
		if dice.IntN(60) == 0 {
			if dice.IntN(2) == 0 {
				after := fs.clone(vfs.CrashCloneCfg{})
				_ = e.Close()
				fs.MemFS = after
			} else if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = open()
		}
	}
	answersAboutSessions(t, e, site, &model, keys, seed)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := check.Store(context.Background(), fs, "data"); err != nil || len(report.Problems) > 0 || report.Events != 400 {
		t.Errorf("seed %d: check: %+v, %v", seed, report, err)
	}
}

// answersAboutSessions asks for each session by its key, and for each name.
func answersAboutSessions(t *testing.T, e *engine.Engine, site *engine.Site, model *modelSessions, keys []string, seed uint64) {
	t.Helper()
	newest, rows := map[string]*modelSession{}, map[string]uint64{}
	begins := map[uint64]bool{}
	for _, s := range model.all {
		key := keys[s.ord-1]
		begins[s.ord] = true
		if s.name != "" {
			newest[s.name] = s
			rows[s.name] += uint64(len(s.rows))
		}
		got, err := e.Session(t.Context(), &site.Site, key)
		if err != nil || got.Cursor != key || got.Events != uint64(len(s.rows)) || got.Start != slices.Min(s.rows) || got.End != slices.Max(s.rows) || s.name != "" && got.ID != s.name {
			t.Errorf("seed %d: session %d: %+v, %v; want %+v", seed, s.ord, got, err, s)
		}
		n, err := e.Count(t.Context(), query.Query{Site: &site.Site, Where: []query.Cond{{Field: "session", Values: []string{key}}}})
		if err != nil || n.Events != uint64(len(s.rows)) || n.Sessions != 1 {
			t.Errorf("seed %d: count of session %d: %+v, %v; want %d", seed, s.ord, n, err, len(s.rows))
		}
	}
	for seq, key := range keys {
		if !begins[uint64(seq)+1] {
			if _, err := e.Session(t.Context(), &site.Site, key); err != query.ErrNotFound {
				t.Errorf("seed %d: event %d begins no session: %v", seed, seq+1, err)
			}
			if n, err := e.Count(t.Context(), query.Query{Site: &site.Site, Where: []query.Cond{{Field: "session", Values: []string{key}}}}); err != nil || n.Events != 0 {
				t.Errorf("seed %d: event %d begins no session: %+v, %v", seed, seq+1, n, err)
			}
		}
	}
	for name, s := range newest {
		got, err := e.Session(t.Context(), &site.Site, name)
		if err != nil || got.Cursor != keys[s.ord-1] {
			t.Errorf("seed %d: newest session of %q: %+v, %v; want that of event %d", seed, name, got, err, s.ord)
		}
		// A name and a key of another name's session together.
		where := []query.Cond{{Field: "session", Values: []string{name, keys[newest["1"].ord-1]}}}
		want := rows[name]
		if name != "1" {
			want += uint64(len(newest["1"].rows))
		}
		n, err := e.Count(t.Context(), query.Query{Site: &site.Site, Where: append(where, query.Cond{Field: "user", Values: []string{"a1", "a2", "u1", "u2", "x"}})})
		if err != nil || n.Events != want {
			t.Errorf("seed %d: %q: %+v, %v; want %d", seed, name, n, err, want)
		}
	}
}

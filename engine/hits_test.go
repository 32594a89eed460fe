package engine

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// twoSalts makes visitor ids from the salt of today and, if there is one, from that of
// yesterday.
type twoSalts struct{ today, before string }

func (s *twoSalts) Visitor(_ uint32, parts ...string) (string, string) {
	hash := func(salt string) string {
		if salt == "" {
			return ""
		}
		return fmt.Sprintf("%x", salt+strings.Join(parts, "|"))
	}
	return hash(s.today), hash(s.before)
}

// hitStore is an engine with one site in a time zone 10 hours ahead of UTC. Its clock begins
// shortly before midnight UTC.
type hitStore struct {
	*Engine
	t     *testing.T
	opts  Options
	site  atomic.Pointer[Site]
	salts *twoSalts
	wall  atomic.Int64 // nanoseconds
}

func (s *hitStore) now() time.Time          { return time.Unix(0, s.wall.Load()).UTC() }
func (s *hitStore) after(gap time.Duration) { s.wall.Add(int64(gap)) }

func newHitStore(t *testing.T) *hitStore {
	s := &hitStore{t: t, salts: &twoSalts{today: "a"}}
	s.wall.Store(time.Date(2026, 11, 21, 23, 50, 0, 0, time.UTC).UnixNano())
	s.site.Store(&Site{Site: query.Site{ID: 1, Name: "one", Location: time.FixedZone("east", 10*3600)}})
	s.opts = Options{
		Dir: "data", FS: vfs.NewMem(), Reserve: -1, Visitors: s.salts, Now: s.now,
		Sites: func() []*Site { return []*Site{s.site.Load()} },
	}
	s.open()
	return s
}

func (s *hitStore) open() {
	e, err := Open(s.opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Engine = e
}

func (s *hitStore) send(e event.Event, h event.Hit) event.Outcome {
	s.t.Helper()
	e.Dialect = event.Matomo
	if e.Type == "" {
		e.Type = event.Page
	}
	out, err := s.Ingest(s.t.Context(), []Record{{Site: s.opts.Sites()[0], Record: &event.Record{Event: e, Source: event.Source{UserAgent: "a browser"}, Hit: &h}}}, true, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return out[0]
}

func (s *hitStore) check() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatal(err)
	}
	report, err := check.Store(s.t.Context(), s.opts.FS, "data")
	if err != nil || len(report.Problems) > 0 {
		s.t.Fatalf("check: %v, %v", report.Problems, err)
	}
}

// A visitor who is recognised by address and agent alone keeps the visit when the salt
// changes at midnight UTC.
func TestHitVisitOverSalts(t *testing.T) {
	s := newHitStore(t)
	first := s.send(event.Event{}, event.Hit{})
	s.after(20 * time.Minute)
	s.salts.today, s.salts.before = "b", "a"
	second := s.send(event.Event{}, event.Hit{})
	s.after(20 * time.Minute)
	third := s.send(event.Event{}, event.Hit{})
	if first.Session == "" || second.Session != first.Session || third.Session != first.Session {
		t.Errorf("visits %q, %q, %q; want one", first.Session, second.Session, third.Session)
	}
	s.check()
}

// A restart does not change what the store knows of visits. It reads them from the log, or
// from the table of ids if the rows are sealed.
func TestHitsAfterRestart(t *testing.T) {
	for _, sealRows := range []int{0, 2} {
		s := newHitStore(t)
		s.opts.SealRows = sealRows
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.open()
		goal := event.Event{Type: event.Goal, Name: "signup", Anonymous: "aaaaaaaaaaaaaaaa", Properties: event.Object{{Key: "goal_id", Value: event.Num("7")}}}
		order := event.Event{Type: event.Order, Name: "o-1", Anonymous: "aaaaaaaaaaaaaaaa"}
		page := event.Event{Anonymous: "aaaaaaaaaaaaaaaa"}
		visit := s.send(page, event.Hit{}).Session
		for _, e := range []event.Event{goal, order, page, page} {
			if o := s.send(e, event.Hit{Once: true, Order: e.Type == event.Order}); o.Status != event.Stored || o.Session != visit {
				t.Fatalf("%+v", o)
			}
		}
		s.after(2 * time.Minute)
		upgraded := page
		upgraded.Properties = event.Object{{Key: "dimension1", Value: event.Str("gold")}, {Key: "_cvar", Value: event.Raw(`{"Plan":"paid"}`)}}
		if o := s.send(upgraded, event.Hit{Ping: true}); o.Status != event.Excluded || o.Seq != 0 {
			t.Fatalf("a heartbeat: %+v", o)
		}
		s.check()
		s.open()
		for name, c := range map[string]struct {
			e    event.Event
			h    event.Hit
			want event.Status
		}{
			"a goal again":                        {goal, event.Hit{Once: true}, event.Excluded},
			"an order again":                      {order, event.Hit{Order: true}, event.Rejected},
			"a goal of a visit that is too short": {goal, event.Hit{After: 2 * 60_000}, event.Excluded},
			"an earlier heartbeat":                {event.Event{Anonymous: "aaaaaaaaaaaaaaaa", Time: s.now().UnixMilli() - 60_000}, event.Hit{Ping: true}, event.Excluded},
			"a heartbeat without a visitor":       {event.Event{Anonymous: "bbbbbbbbbbbbbbbb"}, event.Hit{Ping: true, IDOnly: true}, event.Excluded},
		} {
			if o := s.send(c.e, c.h); o.Status != c.want {
				t.Errorf("seal %d: %s: %+v", sealRows, name, o)
			}
		}
		got, err := s.Session(t.Context(), &s.opts.Sites()[0].Site, visit)
		if text := string(event.AppendObject(nil, got.Properties)); text != `{"dimension1":"gold","_cvar":{"Plan":"paid"}}` {
			t.Errorf("seal %d: the visit has the properties %s", sealRows, text)
		}
		if err != nil || got.Events != 5 || got.Beyond != 121_000 || len(got.Goals) != 1 || len(got.Orders) != 1 {
			t.Errorf("seal %d: %+v, %v", sealRows, got, err)
		}
		if o := s.send(page, event.Hit{}); o.Session != visit {
			t.Errorf("seal %d: another visit", sealRows)
		}
		s.check()
	}
}

// The check finds heartbeats that belong to no visit and heartbeats that are damaged.
func TestCheckFindsHeartbeats(t *testing.T) {
	s := newHitStore(t)
	s.send(event.Event{Anonymous: "aaaaaaaaaaaaaaaa"}, event.Hit{})
	if err := s.db.Set(identity.HeartbeatsKey(1, 5), bytes.Repeat([]byte{1}, 8), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Set(identity.HeartbeatsKey(1, 1), bytes.Repeat([]byte{1}, 9), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := check.Store(t.Context(), s.opts.FS, "data")
	if err != nil || len(report.Problems) != 2 {
		t.Fatalf("problems %v, %v; want 2", report.Problems, err)
	}
}

// The export of a visit has, on its first event, the time of its last heartbeat, and every event
// says with which one its visit began.
func TestExportOfVisits(t *testing.T) {
	s := newHitStore(t)
	defer s.Close()
	begin := s.now()
	first := s.send(event.Event{Anonymous: "aaaaaaaaaaaaaaaa", Name: "1"}, event.Hit{})
	s.after(10 * time.Second)
	s.send(event.Event{Anonymous: "aaaaaaaaaaaaaaaa", Name: "2"}, event.Hit{})
	other := s.send(event.Event{Anonymous: "bbbbbbbbbbbbbbbb", Name: "3"}, event.Hit{IDOnly: true})
	s.after(30 * time.Second)
	if o := s.send(event.Event{Anonymous: "aaaaaaaaaaaaaaaa"}, event.Hit{Ping: true}); o.Status != event.Excluded {
		t.Fatalf("a heartbeat: %+v", o)
	}
	var b bytes.Buffer
	ctx, end := context.WithCancel(t.Context())
	defer end()
	run, err := s.BeginExport(ctx, query.Export{Site: &s.opts.Sites()[0].Site})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Write(ctx, &b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	beat := `"heartbeat":"` + begin.Add(40*time.Second).UTC().Format("2006-01-02T15:04:05.000Z") + `"`
	for i, want := range []struct {
		of   string
		beat bool
	}{{first.ID, true}, {first.ID, false}, {other.ID, false}} {
		if !strings.Contains(lines[i], `"session_of":"`+want.of+`"`) || strings.Contains(lines[i], "heartbeat") != want.beat || want.beat && !strings.HasSuffix(lines[i], beat+"}") {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
}

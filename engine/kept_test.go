package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// pictureOf is all that a report could know of a span: its rows, which of them are of one person,
// and how long its visits last.
func pictureOf(rows *read.Rows, where []query.Cond, span query.Span) (string, error) {
	sel, err := rows.Select(where, span)
	if err != nil {
		return "", err
	}
	type row struct{ seq, person, session uint64 }
	parts, err := read.Gather(sel, func(s *read.Slice, all *[]row) error {
		person, session := s.Ints(event.IntPerson), s.Ints(event.IntSession)
		return s.Each(func(at []int32) {
			for _, i := range at {
				*all = append(*all, row{s.Seq(int(i)), uint64(person.At(int(i))), uint64(session.At(int(i)))})
			}
		})
	})
	if err != nil {
		return "", err
	}
	all := slices.Concat(parts...)
	slices.SortFunc(all, func(a, b row) int { return int(a.seq) - int(b.seq) })
	persons, err := rows.Persons()
	if err != nil {
		return "", err
	}
	begun := map[uint64]bool{}
	for _, r := range all {
		begun[r.seq] = true
	}
	var text []byte
	for _, r := range all {
		text = fmt.Append(text, r.seq, ":", persons.Find(r.person))
		if r.session != 0 && r.session == r.seq && begun[r.session] {
			beats, err := identity.ReadHeartbeats(rows.DB(), rows.Site().ID, r.session)
			if err != nil {
				return "", err
			}
			text = fmt.Append(text, "+", min(beats.At, span.To))
		}
		text = append(text, ' ')
	}
	return string(text), nil
}

// A kept answer equals a fresh one at every moment, whatever comes in: late rows, links between
// persons, heartbeats; and whatever the store does with its rows.
func TestKeptAnswersEqualFreshOnes(t *testing.T) {
	for seed := range uint64(2) {
		s, rng := keptTraffic(t, seed)
		day := s.now().Truncate(24 * time.Hour).UnixMilli()
		const hour = 3600_000
		spans := []query.Span{{From: day - 72*hour, To: day - 48*hour}, {From: day - 24*hour, To: day}, {From: day - 2*hour, To: day}, {From: day, To: day + 24*hour}, {From: day + 12*hour, To: day + 36*hour}}
		computed, asked := 0, 0
		ask := func(i int) {
			span := spans[i%len(spans)]
			q := query.Report{Site: &s.opts.Sites()[0].Site, Span: span, Now: s.now().UnixMilli()}
			if i%3 == 1 {
				q.Where = []query.Cond{{Field: "user", Values: []string{"u1"}}}
			}
			var rules []read.Rule
			seen := span
			if i%4 == 3 {
				rules, seen.From = []read.Rule{read.BeforeTo}, day-1000*hour
			}
			if i%5 == 2 {
				q.Compare = &spans[(i/5)%len(spans)]
			}
			rows := s.Reader.Rows(context.Background(), q.Site)
			defer rows.Close()
			picture := func() (*string, error) {
				text, err := pictureOf(rows, q.Where, seen)
				if err == nil && q.Compare != nil {
					var more string
					more, err = pictureOf(rows, q.Where, *q.Compare)
					text += "| " + more
				}
				return &text, err
			}
			got, as, err := read.Kept(rows, &q, fmt.Sprint("picture ", i%4), func(s *string) int { return len(*s) }, func() (*string, error) {
				computed++
				return picture()
			}, rules...)
			if err != nil {
				t.Fatal(err)
			}
			want, err := picture()
			if err != nil {
				t.Fatal(err)
			}
			if *got != *want || as.Seq > rows.Last || as.Same {
				t.Fatalf("seed %d: kept of %d:\n%s\nfresh at %d:\n%s", seed, as.Seq, *got, rows.Last, *want)
			}
			asked++
		}
		for step := range 400 {
			s.traffic(rng)
			for range 3 {
				ask(rng.IntN(60))
			}
			if step%150 == 149 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s.open()
			}
		}
		s.check()
		if computed < asked/20 || computed > asked*9/10 {
			t.Errorf("seed %d: %d of %d answers were computed", seed, computed, asked)
		}
	}
}

// ingest sends an event of the native API.
func (s *hitStore) ingest(e event.Event) {
	s.t.Helper()
	if _, err := s.Ingest(s.t.Context(), []Record{{Site: s.opts.Sites()[0], Record: &event.Record{Event: e}}}, true, nil); err != nil {
		s.t.Fatal(err)
	}
}

// keptOnce asks for a text over a span and returns what it is true of, and whether it was computed.
func keptOnce(t *testing.T, s *hitStore, q *query.Report, rules ...read.Rule) (answer *string, as query.AsOf, computed bool) {
	t.Helper()
	q.Site = &s.opts.Sites()[0].Site
	rows := s.Reader.Rows(t.Context(), q.Site)
	defer rows.Close()
	answer, as, err := read.Kept(rows, q, "once", func(s *string) int { return len(*s) }, func() (*string, error) {
		computed = true
		text := fmt.Sprint("as of ", rows.Last)
		return &text, nil
	}, rules...)
	if err != nil {
		t.Fatal(err)
	}
	return answer, as, computed
}

// What makes an answer void, one thing at a time.
func TestKeptAnswerEnds(t *testing.T) {
	const hour = 3600_000
	native := func(at int64, user string) event.Event {
		return event.Event{Dialect: event.Native, Type: event.Track, Name: "x", Time: at, User: user}
	}
	page := event.Event{Anonymous: "aaaaaaaaaaaaaaaa"}
	for _, c := range []struct {
		name  string
		rules []read.Rule
		do    func(s *hitStore, q *query.Report)
		void  bool
	}{
		{"nothing comes", nil, func(*hitStore, *query.Report) {}, false},
		{"a row after the range", nil, func(s *hitStore, q *query.Report) { s.ingest(native(q.To, "u9")) }, false},
		{"a row before the range", nil, func(s *hitStore, q *query.Report) { s.ingest(native(q.From-1, "u9")) }, false},
		{"a row before the range, when that counts", []read.Rule{read.BeforeTo}, func(s *hitStore, q *query.Report) { s.ingest(native(q.From-1, "u9")) }, true},
		{"a row after the range, when rows before count", []read.Rule{read.BeforeTo}, func(s *hitStore, q *query.Report) { s.ingest(native(q.To, "u9")) }, false},
		{"the first instant of the range", nil, func(s *hitStore, q *query.Report) { s.ingest(native(q.From, "u9")) }, true},
		{"the last instant of the range", nil, func(s *hitStore, q *query.Report) { s.ingest(native(q.To-1, "u9")) }, true},
		{"any row, when that counts", []read.Rule{read.AnyRow}, func(s *hitStore, q *query.Report) { s.ingest(native(q.To, "u9")) }, true},
		{"a link of two who are known", nil, func(s *hitStore, q *query.Report) {
			s.ingest(event.Event{Dialect: event.Native, Type: event.Alias, User: "u1", Previous: "u2", Time: q.To})
		}, true},
		{"a first login", nil, func(s *hitStore, q *query.Report) {
			s.ingest(event.Event{Dialect: event.Native, Type: event.Track, Name: "x", User: "u1", Anonymous: "new", Time: q.To})
		}, false},
		{"a first login, when ids are looked for", []read.Rule{read.AnyJoin}, func(s *hitStore, q *query.Report) {
			s.ingest(event.Event{Dialect: event.Native, Type: event.Alias, User: "u1", Previous: "u8", Time: q.To})
		}, true},
		{"a heartbeat of a visit before the end", nil, func(s *hitStore, q *query.Report) {
			s.after(time.Minute)
			s.send(page, event.Hit{Ping: true})
		}, true},
		{"another zone", nil, func(s *hitStore, q *query.Report) {
			s.site.Store(&Site{Site: query.Site{ID: 1, Name: "one", Location: time.UTC}})
		}, true},
		{"another host", nil, func(s *hitStore, q *query.Report) {
			site := *s.site.Load()
			site.Hosts = []string{"shop.example"}
			s.site.Store(&site)
		}, true},
		{"the clock goes on", nil, func(s *hitStore, q *query.Report) { q.Now += 1000 }, false},
		{"the clock goes on, when that counts", []read.Rule{read.Clock}, func(s *hitStore, q *query.Report) { q.Now += 1000 }, true},
		{"too many rows to look at", nil, func(s *hitStore, q *query.Report) {
			s.ingest(native(q.From-1, "u9")) // so the run's times do not tell
			many := make([]Record, 1000)
			for i := range many {
				e := native(q.To+int64(i), "u9")
				many[i] = Record{Site: s.opts.Sites()[0], Record: &event.Record{Event: e}}
			}
			for range 66 {
				if _, err := s.Ingest(context.Background(), many, true, nil); err != nil {
					s.t.Fatal(err)
				}
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newHitStore(t)
			if c.name == "too many rows to look at" {
				s.Close()
				s.opts.SealRows = 1 << 20
				s.open()
			}
			defer func() { s.Close() }()
			now := s.now().UnixMilli()
			// The links are read before, as a report that needs persons does.
			rows := s.Reader.Rows(t.Context(), &s.opts.Sites()[0].Site)
			if _, err := rows.Persons(); err != nil {
				t.Fatal(err)
			}
			rows.Close()
			s.ingest(native(now-30*60_000, "u1"))
			s.ingest(native(now-30*60_000, "u2"))
			s.send(page, event.Hit{})
			q := &query.Report{Span: query.Span{From: now - hour, To: now + hour}, Now: now}
			if _, _, computed := keptOnce(t, s, q, c.rules...); !computed {
				t.Fatal("the first answer was not computed")
			}
			_, before, computed := keptOnce(t, s, q, c.rules...)
			if computed {
				t.Fatal("the second answer was computed")
			}
			c.do(s, q)
			_, as, void := keptOnce(t, s, q, c.rules...)
			if void != c.void {
				t.Errorf("computed again: %v, want %v", void, c.void)
			}
			if (as.Tag == before.Tag) == c.void || !c.void && as != before {
				t.Errorf("%+v, before %+v", as, before)
			}
		})
	}
}

// With MaxAge an answer of that age will do, and says how old it is. With its tag the caller gets
// nothing but the tag.
func TestKeptAnswerOfSomeAge(t *testing.T) {
	s := newHitStore(t)
	defer s.Close()
	now := s.now().UnixMilli()
	q := &query.Report{Span: query.Span{From: now - 1000, To: now + 1000_000}, Now: now}
	first, as, _ := keptOnce(t, s, q)
	s.ingest(event.Event{Dialect: event.Native, Type: event.Track, Name: "x", Time: now})
	q.Now, q.MaxAge = now+9_000, 10*time.Second
	if again, old, computed := keptOnce(t, s, q); computed || *again != *first || old != as {
		t.Errorf("9 s later: %v %+v", computed, old)
	}
	q.Tag = "x," + as.Tag
	if again, old, computed := keptOnce(t, s, q); computed || again != nil || !old.Same || old.Tag != as.Tag {
		t.Errorf("with its tag: %v %+v", computed, old)
	}
	q.Now = now + 10_000
	if again, young, computed := keptOnce(t, s, q); !computed || *again == *first || young.Tag == as.Tag || young.Time != q.Now {
		t.Errorf("10 s later: %v %+v", computed, young)
	}
}

// The same question at the same time is computed once. Who leaves takes nothing from the others.
func TestKeptAnswerIsComputedOnce(t *testing.T) {
	s := newHitStore(t)
	defer s.Close()
	site := &s.opts.Sites()[0].Site
	now := s.now().UnixMilli()
	q := query.Report{Site: site, Span: query.Span{From: now - 1000, To: now}, Now: now}
	const n = 8
	var computed atomic.Int32
	var wg sync.WaitGroup
	entered, leave, asking := make(chan struct{}, n), make(chan struct{}), make(chan struct{}, n)
	first, cancel := context.WithCancel(t.Context())
	ask := func(ctx context.Context) (*string, error) {
		rows := s.Reader.Rows(ctx, site)
		defer rows.Close()
		asking <- struct{}{}
		answer, _, err := read.Kept(rows, &q, "once", func(*string) int { return 1 }, func() (*string, error) {
			computed.Add(1)
			entered <- struct{}{}
			<-leave
			if err := rows.Check(); err != nil {
				return nil, err
			}
			return new(string), nil
		})
		return answer, err
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		if _, err := ask(first); err != context.Canceled {
			t.Errorf("who left: %v", err)
		}
	}()
	<-entered
	answers := make([]*string, n)
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var err error
			if answers[i], err = ask(t.Context()); err != nil {
				t.Errorf("who stayed: %v", err)
			}
		}()
	}
	for range n + 1 {
		<-asking
	}
	cancel()
	close(leave)
	wg.Wait()
	for _, a := range answers {
		if a == nil || a != answers[0] {
			t.Error("the answers are not one")
		}
	}
	if got := computed.Load(); got != 2 { // by the first, who left, and by one of the others
		t.Errorf("computed %d times", got)
	}
}

// A report that began before a row came does not outlive the link which that row made.
func TestKeptAnswerOfAnOlderMoment(t *testing.T) {
	s := newHitStore(t)
	defer s.Close()
	now := s.now().UnixMilli()
	s.ingest(event.Event{Dialect: event.Native, Type: event.Track, Name: "x", Anonymous: "a", Time: now})
	q := &query.Report{Site: &s.opts.Sites()[0].Site, Span: query.Span{From: now - 1000, To: now + 1000}, Now: now}
	q.Where = []query.Cond{{Field: "user", Values: []string{"u"}}}
	ask := func(rows *read.Rows) string {
		defer rows.Close()
		text, _, err := read.Kept(rows, q, "rows", func(s *string) int { return len(*s) }, func() (*string, error) {
			text, err := pictureOf(rows, q.Where, q.Span)
			return &text, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return *text
	}
	older := s.Reader.Rows(t.Context(), q.Site)
	if _, err := older.Persons(); err != nil {
		t.Fatal(err)
	}
	s.ingest(event.Event{Dialect: event.Native, Type: event.Track, Name: "x", Anonymous: "a", User: "u", Time: q.To})
	if got := ask(older); got != "" {
		t.Errorf("before the row: %q", got)
	}
	if got := ask(s.Reader.Rows(t.Context(), q.Site)); got == "" {
		t.Error("the person of the row is not found")
	}
}

package engine_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// steppedStore is a store whose wall clock is stepped while stored time goes on.
type steppedStore struct {
	*testing.T
	*engine.Engine
	options engine.Options
	site    *engine.Site
	wall    *clock
	passed  atomic.Int64
	sent    int
	request int // events of a request: as many as a run has, so that there are several runs, and merges
}

func openStepped(t *testing.T) *steppedStore {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}}
	s := &steppedStore{T: t, site: site, wall: newClock(epoch), request: 10}
	s.options = engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Reserve: -1, Memory: 16 << 20, SealRows: s.request, MergeRuns: 4,
		Now: s.wall.now, Elapsed: func() time.Duration { return time.Duration(s.passed.Load()) }, Fatal: func(err error) { t.Errorf("the store has failed: %v", err) }}
	s.open()
	return s
}

func (s *steppedStore) open() {
	s.Helper()
	var err error
	if s.Engine, err = engine.Open(s.options); err != nil {
		s.Fatal(err)
	}
}

// restart stops the server for d by the wall clock.
func (s *steppedStore) restart(d time.Duration) {
	s.Helper()
	if err := s.Close(); err != nil {
		s.Fatal(err)
	}
	s.wall.add(d)
	s.passed.Store(int64(len(s.Name())) * int64(time.Minute)) // begins anywhere in each process
	s.open()
}

// pass lets time pass on both clocks.
func (s *steppedStore) pass(d time.Duration) {
	s.wall.add(d)
	s.passed.Add(int64(d))
}

// send sends n new events, or the events from first on once more.
func (s *steppedStore) send(first, n int) (stored int) {
	s.Helper()
	var records []engine.Record
	for i := first; i < first+n; i++ {
		records = append(records, engine.Record{Site: s.site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", MessageID: fmt.Sprint(i)}}})
	}
	for some := range slices.Chunk(records, s.request) {
		out, err := s.Ingest(s.Context(), some, true, nil)
		if err != nil {
			s.Fatal(err)
		}
		for _, o := range out {
			if o.Status == event.Stored {
				stored++
			}
		}
	}
	return stored
}

// fresh sends 50 new events and returns the first of them.
func (s *steppedStore) fresh() (first int) {
	s.Helper()
	first = s.sent
	s.sent += 50
	if n := s.send(first, 50); n != 50 {
		s.Fatalf("%d of 50 new events are stored", n)
	}
	return first
}

// Ids are remembered for the whole window after any step of the wall clock, while the server
// runs and while it is stopped, and are forgotten after it.
func TestWindowAfterSteps(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for name, steps := range map[string][]time.Duration{
		"a day back":               {-day},
		"ten years ahead":          {10 * year},
		"ten years back":           {-10 * year},
		"to 1970":                  {-time.Duration(epoch.UnixNano())},
		"ahead and back":           {10 * year, -10 * year},
		"back and ahead":           {-day, day},
		"ahead, back, a bit more":  {3 * year, -3*year - 40*day, 90 * day, time.Hour},
		"thirty steps of two days": func() (s []time.Duration) { return append(s, make([]time.Duration, 30)...) }(),
	} {
		for _, stopped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stopped %v", name, stopped), func(t *testing.T) {
				s := openStepped(t)
				var groups []int
				groups = append(groups, s.fresh())
				for _, step := range steps {
					if step == 0 {
						step = 2 * day
					}
					s.pass(10 * time.Minute)
					if stopped {
						s.restart(step)
					} else {
						s.wall.add(step)
					}
					groups = append(groups, s.fresh())
				}
				again := func(want int, when string) {
					t.Helper()
					for _, g := range groups {
						if n := s.send(g, 50); n != want {
							t.Errorf("%s: %d events from %d on are stored again, want %d", when, n, g, want)
						}
					}
				}
				again(0, "at once")
				s.restart(time.Second)
				again(0, "after a restart")
				s.pass(18 * time.Hour)
				again(0, "18 hours later")
				s.restart(3 * year)
				again(0, "18 hours later, the clock 3 years ahead")
				s.wall.add(-3 * year)
				again(0, "18 hours later, the clock right again")
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if report, err := check.Store(t.Context(), s.options.FS, "data"); err != nil || len(report.Problems) > 0 {
					t.Fatalf("check: %v %v", err, report.Problems)
				}
			})
		}
	}
}

// After the window an id counts again, however often the server was restarted.
func TestWindowEnds(t *testing.T) {
	s := openStepped(t)
	old := s.fresh()
	for range 9 {
		for range 3 {
			s.pass(time.Hour)
			s.fresh()
		}
		s.restart(time.Minute)
	}
	s.request = 50
	for range 300 { // so many that the newest ids, which are always known, do not include the old ones
		s.fresh()
	}
	if n := s.send(old, 50); n != 50 {
		t.Errorf("after 27 hours, %d of 50 events are stored again", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

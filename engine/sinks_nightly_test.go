// Sinks and the nightly check: a hole or a double is found in the night after it came, and told until it is
// mended; deletions, refused rows and a sink that lags are no false alarm.

package engine_test

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/sink"
	"cairn/engine/sink/sinktest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// nights is a store with a sink that counts, and a clock that goes from night to night.
type nights struct {
	*testing.T
	w     *workload
	place *sinktest.Place
	opts  engine.Options
	e     *engine.Engine
	ahead atomic.Int64 // of the workload's clock

	sink   sinktest.Counting
	config sink.Config
}

// openNights opens the store with some rows that the sink has. set changes the sink before that.
func openNights(t *testing.T, set func(*nights)) *nights {
	t.Helper()
	n := &nights{T: t, w: newWorkload(rand.New(rand.NewPCG(1, 20))), place: sinktest.New(false)}
	n.opts = n.w.options(vfs.NewMem(), rand.New(rand.NewPCG(1, 21)))
	n.opts.Now = func() time.Time { return n.w.now().Add(time.Duration(n.ahead.Load())) }
	n.sink = sinktest.Counting{Sink: &sinktest.Sink{Place: n.place, Rows: sink.Native}}
	n.config = quick(n.sink)
	n.config.CheckAgain = time.Millisecond
	if set != nil {
		set(n)
	}
	n.opts.Sinks = []sink.Config{n.config}
	n.e = open(t, n.opts)
	n.more()
	return n
}

// reopen starts the store again.
func (n *nights) reopen() {
	n.Helper()
	if err := n.e.Close(); err != nil {
		n.Fatal(err)
	}
	n.sink = sinktest.Counting{Sink: &sinktest.Sink{Place: n.place, Rows: sink.Native}}
	n.config.Sink = n.sink
	n.opts.Sinks = []sink.Config{n.config}
	n.e = open(n.T, n.opts)
}

// more takes rows and waits until the sink has them.
func (n *nights) more() sink.SiteStatus {
	n.Helper()
	n.w.run(n.e, 1, 10, never)
	st, err := until(n.e, carriedAll(n.e))
	if err != nil {
		n.Fatal(err)
	}
	return st.Sites[0]
}

// night lets a night pass, and waits until site one is as it should be.
func (n *nights) night(is func(*sink.SiteStatus) bool) sink.SiteStatus {
	n.Helper()
	n.ahead.Add(int64(24 * time.Hour))
	st, err := until(n.e, func(st *sink.Status) bool { return is(&st.Sites[0]) })
	if err != nil {
		n.Fatal(err)
	}
	return st.Sites[0]
}

// isRight says that all was checked and was right; isWrong that something was not.
func isRight(s *sink.SiteStatus) bool { return s.Checked == s.Cursor && s.Wrong == nil }
func isWrong(s *sink.SiteStatus) bool { return s.Wrong != nil }

// quiet says that nobody is told anything.
func (n *nights) quiet() {
	n.Helper()
	if reasons := n.e.SinkTroubles(); len(reasons) > 0 {
		n.Errorf("reasons %q", reasons)
	}
	if st := n.e.Stats().Sinks[0]; st.CheckMissing != 0 || st.CheckSurplus != 0 || st.CheckErrors != 0 {
		n.Errorf("%+v", st)
	}
}

func TestNightlyCheck(t *testing.T) {
	t.Parallel()
	n := openNights(t, nil)
	first := n.more()
	if counted := n.place.Counted(); len(counted) != 0 || first.Checked != 0 || first.CheckedAt != 0 {
		t.Fatalf("before the night: %+v, %+v", counted, first)
	}
	one := n.night(isRight)
	second := n.more()
	n.reopen() // what was checked is not checked again
	if _, err := until(n.e, carriedAll(n.e)); err != nil {
		t.Fatal(err)
	}
	two := n.night(isRight)
	var asked []sink.Count
	for _, c := range n.place.Counted() {
		if c.Store == one.Store && (c.First == 1 && c.Last == first.Cursor || c.First == first.Cursor+1 && c.Last == second.Cursor) {
			asked = append(asked, c)
		}
	}
	if len(asked) != 2 || one.Checked != first.Cursor || two.Checked != second.Cursor || one.CheckedAt == 0 || two.CheckedAt <= one.CheckedAt {
		t.Errorf("counted %+v; %+v, %+v", n.place.Counted(), one, two)
	}
	n.quiet()
}

// A hole is told in metrics, /healthz and the status, also after a restart, until it is mended. Rows behind it are
// checked.
func TestNightlyCheckFindsAHole(t *testing.T) {
	t.Parallel()
	n := openNights(t, nil)
	n.night(isRight)
	before := n.more()
	giveBack := n.place.LoseRows(before.Store, "one", func(seq uint64, _ string) bool { return seq == before.Cursor-1 })
	s := n.night(isWrong)
	if s.Wrong.Missing != 1 || s.Wrong.Surplus != 0 || s.Wrong.First != before.Checked+1 || s.Wrong.Last != before.Cursor || s.Wrong.At == 0 || s.Checked != before.Checked {
		t.Errorf("%+v, %+v", s, s.Wrong)
	}
	for range 2 {
		if reasons := n.e.SinkTroubles(); len(reasons) != 1 || !strings.Contains(reasons[0], "1 events missing and 0 too many at one") {
			t.Errorf("reasons %q", reasons)
		}
		if st := n.e.Stats().Sinks[0]; st.CheckMissing != 1 || st.CheckSurplus != 0 || st.State != sink.StateRunning {
			t.Errorf("%+v", st)
		}
		n.reopen()
		n.more()
	}
	giveBack()
	n.night(isRight)
	n.quiet()
}

func TestNightlyCheckFindsADouble(t *testing.T) {
	t.Parallel()
	n := openNights(t, nil)
	s := n.more()
	n.place.Double(s.Store, "one", 3)
	n.place.Double(s.Store, "one", 5)
	if s = n.night(isWrong); s.Wrong.Missing != 0 || s.Wrong.Surplus != 2 {
		t.Errorf("%+v", s.Wrong)
	}
	if st := n.e.Stats().Sinks[0]; st.CheckMissing != 0 || st.CheckSurplus != 2 {
		t.Errorf("%+v", st)
	}
	if reasons := n.e.SinkTroubles(); len(reasons) != 1 || !strings.Contains(reasons[0], "2 too many at one") {
		t.Errorf("reasons %q", reasons)
	}
}

// A deletion that comes between the count of the store and that of the sink, and is carried out at once, makes
// no difference.
func TestNightlyCheckWhileRowsAreDeleted(t *testing.T) {
	t.Parallel()
	var n *nights
	var once atomic.Bool
	n = openNights(t, func(n *nights) {
		n.config.CheckAgain = time.Hour // a second check never comes
		n.sink.Hook = func(call string) error {
			if call != "count" || once.Swap(true) {
				return nil
			}
			r, err := n.e.Delete(ctx, &n.w.sites[0].Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"u1"}}}})
			if err != nil || r.Rows == 0 {
				t.Errorf("%+v, %v", r, err)
			}
			for _, store := range n.place.Stores("one") {
				n.place.LoseRows(store, "one", func(_ uint64, line string) bool { return strings.Contains(line, `"user":"u1"`) })
			}
			return nil
		}
	})
	n.more()
	n.night(isRight)
	if _, err := until(n.e, carriedAll(n.e)); err != nil {
		t.Fatal(err)
	}
	n.quiet()

	// Rows that a deletion has taken before are no hole, and neither are those that the sink still has.
	n.more()
	if _, err := n.e.Delete(ctx, &n.w.sites[0].Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"u2"}}}}); err != nil {
		t.Fatal(err)
	}
	n.more()
	n.night(isRight)
	n.quiet()
}

// A replica of the sink that lags has the rows when it is asked again.
func TestNightlyCheckOfASinkThatLags(t *testing.T) {
	t.Parallel()
	var giveBack func()
	var counts atomic.Int64
	n := openNights(t, func(n *nights) {
		n.sink.Hook = func(call string) error {
			if call == "count" && counts.Add(1) == 4 { // 2 counts of site one, 1 of site two
				giveBack()
			}
			return nil
		}
	})
	s := n.more()
	giveBack = n.place.LoseRows(s.Store, "one", func(seq uint64, _ string) bool { return seq == 4 })
	n.night(func(s *sink.SiteStatus) bool { return isWrong(s) || isRight(s) })
	if counts.Load() < 4 {
		t.Errorf("%d counts", counts.Load())
	}
	n.quiet()
}

// Rows that the sink refused and that were passed over are no hole; another one is.
func TestNightlyCheckAfterRowsWereRefused(t *testing.T) {
	t.Parallel()
	n := openNights(t, func(n *nights) {
		n.config.SkipBad = true
		n.sink.Refuse = func(line []byte) bool {
			return strings.Contains(string(line), `"request":7,`) || strings.Contains(string(line), `"request":7}`)
		}
	})
	s := n.more()
	if s.Skipped == 0 {
		t.Fatal("no row was refused")
	}
	n.night(isRight)
	n.quiet()
	s = n.more()
	n.place.LoseRows(s.Store, "one", func(seq uint64, _ string) bool { return seq == s.Cursor })
	if s = n.night(isWrong); s.Wrong.Missing != 1 {
		t.Errorf("%+v", s.Wrong)
	}
}

// A count that fails is tried again and stops nothing.
func TestNightlyCheckThatFails(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	log := new(logged)
	n := openNights(t, func(n *nights) {
		n.opts.Log = slog.New(slog.NewTextHandler(log, nil))
		n.sink.Hook = func(call string) error {
			if call == "count" && !up.Load() {
				return &sink.Fault{Code: "241", Err: errors.New("a sentence of the server")}
			}
			return nil
		}
	})
	n.ahead.Add(int64(24 * time.Hour))
	if _, err := until(n.e, func(*sink.Status) bool { return n.e.Stats().Sinks[0].CheckErrors > 0 }); err != nil {
		t.Fatal(err)
	}
	if s := n.more(); s.Checked != 0 || len(n.e.SinkTroubles()) != 0 {
		t.Errorf("%+v, %q", s, n.e.SinkTroubles())
	}
	if said := log.String(); !strings.Contains(said, "code=241") || strings.Contains(said, "sentence") {
		t.Errorf("the log must have the code, and not what the server says:\n%s", said)
	}
	up.Store(true)
	if _, err := until(n.e, func(st *sink.Status) bool { return st.Sites[0].Checked > 0 && st.Sites[0].Wrong == nil }); err != nil {
		t.Fatal(err)
	}
}

// What retention hides may have left the sink, too, by the time that the table has for that.
func TestNightlyCheckAndRetention(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	defer func() { _ = d.e.Close() }()
	for i := range 60 {
		d.send(float64(i%10), event.Track, "ada")
	}
	place := sinktest.New(false)
	d.opts.Sinks = []sink.Config{quick(sinktest.Counting{Sink: &sinktest.Sink{Place: place, Rows: sink.Native}})}
	d.reopen()
	st, err := until(d.e, carriedAll(d.e))
	if err != nil {
		t.Fatal(err)
	}
	first := st.Sites[0]
	rows, gone, err := d.e.CarriedCount(ctx, &d.site.Load().Site, 1, first.Cursor)
	if err != nil || rows != first.Cursor || gone != 0 {
		t.Fatalf("%d rows, %d gone, %v", rows, gone, err)
	}
	d.e.EndSinks()
	d.opts.Sinks = nil
	d.opts.SinksFollow = true // retention waits with rewriting
	for range 3 {
		d.send(9, event.Track, "bob")
	}
	d.keep(5)
	d.reopen()
	if all := d.waitRetention(1); all[0].State != query.DeletionHidden {
		t.Fatalf("%+v", all)
	}
	hidden := d.e.Stats().HiddenEvents
	rows, gone, err = d.e.CarriedCount(ctx, &d.site.Load().Site, 1, first.Cursor+3)
	if err != nil || hidden == 0 || gone != hidden || rows != first.Cursor+3-hidden {
		t.Errorf("%d rows, %d gone of %d hidden, %v", rows, gone, hidden, err)
	}
}

package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// days is a store whose clock a test moves.
type days struct {
	*testing.T
	now  atomic.Int64
	site atomic.Pointer[engine.Site]
	opts engine.Options
	e    *engine.Engine
}

// openDays opens a store of one site in Berlin at noon of 20 November 2026.
func openDays(t *testing.T, keep int) *days {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	d := &days{T: t}
	d.site.Store(&engine.Site{Site: query.Site{ID: 1, Name: "shop", Location: zone}, RetentionDays: keep})
	d.now.Store(time.Date(2026, 11, 20, 12, 0, 0, 0, zone).UnixMilli())
	d.opts = engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: func() []*engine.Site { return []*engine.Site{d.site.Load()} }, SealRows: 64,
		Now: func() time.Time { return time.UnixMilli(d.now.Load()) }}
	d.open()
	return d
}

// keep changes how many days the site keeps.
func (d *days) keep(days int) {
	site := *d.site.Load()
	site.RetentionDays = days
	d.site.Store(&site)
}

func (d *days) open() {
	d.Helper()
	var err error
	if d.e, err = engine.Open(d.opts); err != nil {
		d.Fatal(err)
	}
}

func (d *days) reopen() {
	d.Helper()
	if err := d.e.Close(); err != nil {
		d.Fatal(err)
	}
	d.open()
}

// send stores an event of so many days before now.
func (d *days) send(ago float64, kind event.Type, user string) event.Outcome {
	d.Helper()
	ev := event.Event{Dialect: event.Native, Type: kind, User: user, Time: d.now.Load() - int64(ago*24*3600e3)}
	if kind == event.Track {
		ev.Name = "a"
	}
	out, err := d.e.Ingest(d.Context(), []engine.Record{{Site: d.site.Load(), Record: &event.Record{Event: ev}}}, false, nil)
	if err != nil {
		d.Fatal(err)
	}
	return out[0]
}

// users returns how many events each of some users has.
func (d *days) users(names ...string) (text string) {
	d.Helper()
	for _, name := range names {
		total, err := d.e.Count(d.Context(), query.Query{Site: &d.site.Load().Site, Where: []query.Cond{{Field: "user", Values: []string{name}}}, Metrics: query.MetricEvents})
		if err != nil {
			d.Fatal(err)
		}
		text += fmt.Sprintf("%s %d ", name, total.Events)
	}
	return text
}

// waitRetention waits until retention has deleted so many times.
func (d *days) waitRetention(n int) []query.Receipt {
	d.Helper()
	for range 1000 {
		all, err := d.e.Deletions(d.Context(), &d.site.Load().Site)
		if err != nil {
			d.Fatal(err)
		}
		if len(all) >= n {
			return all
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.Fatalf("retention has not deleted %d times", n)
	return nil
}

// A start deletes what the site no longer keeps, by days of its zone. What says who a person is
// stays until the last event of the person goes. The plan said so before.
func TestRetention(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	for i := range 100 {
		d.send(float64(i)/10, event.Track, "ada")
	}
	d.send(9, event.Identify, "ada") // she has later events
	d.send(9, event.Identify, "bob") // he has not
	d.send(9, event.Track, "bob")
	d.keep(5)
	// Kept are today and the four days before: from the midnight that is 4.5 days ago.
	plan, err := d.e.RetentionPlan(d.Context(), &d.site.Load().Site)
	if err != nil || plan.Days != 5 || plan.Events != 64+2 { // tomorrow one day more than today
		t.Errorf("plan: %+v, %v", plan, err)
	}
	if got := d.users("ada", "bob"); got != "ada 101 bob 2 " {
		t.Errorf("the plan has changed something: %s", got)
	}
	d.reopen()
	all := d.waitRetention(1)
	if r := all[0]; r.Kind != query.DeleteRetention || r.Rows != 54+2 || r.State != query.DeletionHidden && r.State == "" {
		t.Errorf("deleted: %+v", r)
	}
	if got := d.users("ada", "bob"); got != "ada 47 bob 0 " {
		t.Errorf("left: %s", got)
	}
	// What is too old is refused.
	out := d.send(5.5, event.Track, "ada")
	if out.Status != event.Rejected || out.Err == nil || out.Err.Field != "time" {
		t.Errorf("too old: %+v", out)
	}
	if out := d.send(4.4, event.Track, "ada"); out.Status != event.Stored {
		t.Errorf("not too old: %+v", out)
	}
	if err := d.e.Close(); err != nil {
		t.Fatal(err)
	}
}

// A clock that is far ahead of the newest event deletes nothing, and health says why.
func TestRetentionWaitsForTheClock(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	d.send(4, event.Track, "ada")
	d.keep(2)
	d.now.Add((10 * 24 * time.Hour).Milliseconds())
	d.reopen()
	for range 1000 {
		if d.e.Stats().Retention != "" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if got := d.e.Stats().Retention; got == "" {
		t.Error("nothing says that retention waits")
	}
	if got := d.users("ada"); got != "ada 1 " {
		t.Errorf("left: %s", got)
	}
	if err := d.e.Close(); err != nil {
		t.Fatal(err)
	}
}

// A store that is too large loses the oldest days, but not the newest two.
func TestRetentionBytes(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	for i := range 300 {
		d.send(float64(i)/50, event.Track, "ada")
	}
	d.opts.RetentionBytes = func() int64 { return 1 } // less than any store has
	d.reopen()
	for range 1000 {
		if d.e.Stats().Retention != "" { // nothing more can go
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	// Of today there are 12 hours, which are 26 events with the last one; of yesterday 50.
	if got := d.users("ada"); got != "ada 75 " && got != "ada 76 " {
		t.Errorf("left: %s", got)
	}
	if n := d.e.Stats().RetentionDays; n < 4 {
		t.Errorf("%d days were deleted", n)
	}
	if err := d.e.Close(); err != nil {
		t.Fatal(err)
	}
}

// Events that say who somebody is stay while the person has later events. They do not keep
// retention_bytes from the days after theirs.
func TestRetentionBytesPassesOverWhatStays(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	d.send(9, event.Identify, "ada")
	d.send(7, event.Identify, "ada")
	for i := range 300 {
		d.send(float64(i)/50, event.Track, "ada")
	}
	d.opts.RetentionBytes = func() int64 { return 1 } // less than any store has
	d.reopen()
	for range 1000 {
		if d.e.Stats().Retention != "" { // nothing more can go
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := d.users("ada"); got != "ada 77 " && got != "ada 78 " { // as in TestRetentionBytes, and two that stay
		t.Errorf("left: %s", got)
	}
	if err := d.e.Close(); err != nil {
		t.Fatal(err)
	}
}

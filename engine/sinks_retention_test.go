// Sinks and what deletes rows: retention waits for a sink as long as it may, an erasure never, and what a
// sink misses is counted.

package engine_test

import (
	"fmt"
	"slices"
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

// downSink is a sink that is down until up is set.
type downSink struct {
	place *sinktest.Place
	up    atomic.Bool
}

func (s *downSink) config() []sink.Config {
	return []sink.Config{quick(&sinktest.Sink{Place: s.place, Rows: sink.Native, Hook: func(string) error {
		if !s.up.Load() {
			return &sink.Fault{Passes: true, Code: "down"}
		}
		return nil
	}})}
}

// carry begins the sink, and waits until it has met the site.
func (d *days) carry(configs []sink.Config) {
	d.Helper()
	if err := d.e.CarryTo(configs); err != nil {
		d.Fatal(err)
	}
	if _, err := until(d.e, func(st *sink.Status) bool { return len(st.Sites) == 1 }); err != nil {
		d.Fatal(err)
	}
}

// waitState waits until a deletion has come to a state.
func (d *days) waitState(id uint64, state query.DeletionState) query.Receipt {
	d.Helper()
	return d.waitReceipt(id, func(r *query.Receipt) bool { return r.State == state })
}

// waitReceipt waits until the receipt of a deletion says something.
func (d *days) waitReceipt(id uint64, says func(*query.Receipt) bool) (last query.Receipt) {
	d.Helper()
	for end := time.Now().Add(sinkWait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		all, err := d.e.Deletions(d.Context(), &d.site.Load().Site)
		if err != nil {
			d.Fatal(err)
		}
		if i := slices.IndexFunc(all, func(r query.Receipt) bool { return r.ID == id }); i >= 0 {
			if last = all[i]; says(&last) {
				return last
			}
		}
	}
	d.Fatalf("deletion %d stays %+v", id, last)
	return last
}

func (d *days) user(name string, now bool) query.Deletion {
	return query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{name}}}, Now: now}
}

func TestRetentionWaitsForASink(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	defer func() { _ = d.e.Close() }()
	for i := range 150 {
		d.send(9, event.Track, []string{"ada", "bob", "eve"}[i%3])
	}
	d.send(1, event.Track, "eve")
	s := &downSink{place: sinktest.New(false)}
	d.opts.Sinks = s.config()
	d.keep(5)
	d.reopen() // retention deletes at once
	first := d.waitRetention(1)[0]
	if first.Kind != query.DeleteRetention || first.Rows != 150 || len(first.Sinks) != 0 && first.Sinks[0].Name != "memory" {
		t.Fatalf("%+v", first)
	}
	if _, err := until(d.e, func(st *sink.Status) bool { return len(st.Sites) == 1 }); err != nil {
		t.Fatal(err)
	}
	// Nobody sees the rows of bob, but the sink would get them. That he is erased is carried out although
	// retention waits: with the rows in the same run.
	r, err := d.e.Delete(t.Context(), &d.site.Load().Site, d.user("bob", true))
	if err != nil || r.Rows != 50 || len(r.Sinks) != 1 || r.Sinks[0].At != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	d.waitState(r.ID, query.DeletionDone)
	if all, _ := d.e.Deletions(t.Context(), &d.site.Load().Site); all[0].State != query.DeletionHidden {
		t.Fatalf("retention has not waited: %+v", all[0])
	}
	if n := d.e.Stats().HiddenEvents; n != 100 {
		t.Errorf("%d rows are hidden", n)
	}
	d.opts.Sinks = s.config()
	d.reopen() // it waits across starts
	if _, err := until(d.e, func(st *sink.Status) bool { return st.Code == "down" }); err != nil {
		t.Fatal(err)
	}
	s.up.Store(true)
	st, err := until(d.e, carriedAll(d.e))
	if err != nil || st.Sites[0].Missed != 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	d.waitState(first.ID, query.DeletionDone)
	rows := s.place.Rows(st.Sites[0].Store, "shop")
	users := make(map[string]int)
	for _, row := range rows {
		for _, name := range []string{"ada", "bob", "eve"} {
			if strings.Contains(row.Line, `"user":"`+name+`"`) {
				users[name]++
			}
		}
	}
	if fmt.Sprint(users) != "map[ada:50 eve:51]" {
		t.Errorf("the sink has %v", users)
	}
	// The sink notes a deletion after it has carried the rows.
	d.waitReceipt(r.ID, func(r *query.Receipt) bool {
		return r.State == query.DeletionDone && r.Sinks[0].At != 0 && r.Sinks[0].Passed
	})
	if reasons := d.e.SinkTroubles(); len(reasons) != 0 {
		t.Errorf("reasons %q", reasons)
	}
}

// After the time of hold retention waits no longer. What the sink then lacks is counted, once, and named.
func TestSinkMissesRows(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	defer func() { _ = d.e.Close() }()
	s := &downSink{place: sinktest.New(false)}
	d.opts.Sinks = s.config()
	d.reopen()
	if _, err := until(d.e, func(st *sink.Status) bool { return len(st.Sites) == 1 }); err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		d.send(9, event.Track, []string{"ada", "bob"}[i%2])
	}
	d.keep(5)
	d.opts.Sinks = s.config()
	d.reopen()
	first := d.waitRetention(1)[0]
	if first.Sinks[0].Name != "memory" {
		t.Fatalf("%+v", first)
	}
	erased, err := d.e.Delete(t.Context(), &d.site.Load().Site, d.user("bob", false))
	if err != nil || erased.Rows != 60 {
		t.Fatal(erased, err)
	}
	d.now.Add((7*24 + 1) * int64(time.Hour/time.Millisecond))
	d.send(0, event.Track, "eve")
	d.waitState(first.ID, query.DeletionDone)
	s.up.Store(true)
	st, err := until(d.e, carriedAll(d.e))
	if err != nil || st.Sites[0].Missed != 60 {
		t.Fatalf("%+v, %v", st, err)
	}
	if rows := s.place.Rows(st.Sites[0].Store, "shop"); len(rows) != 1 {
		t.Errorf("the sink has %d rows", len(rows))
	}
	if reasons := d.e.SinkTroubles(); len(reasons) != 1 || !strings.Contains(reasons[0], "60 events") {
		t.Errorf("reasons %q", reasons)
	}
	d.waitReceipt(first.ID, func(r *query.Receipt) bool { return r.Sinks[0].Passed })
	d.opts.Sinks = s.config()
	d.reopen()
	if st, err = until(d.e, carriedAll(d.e)); err != nil || st.Sites[0].Missed != 60 {
		t.Errorf("after a start %+v, %v", st, err)
	}
	d.now.Add(8 * 24 * int64(time.Hour/time.Millisecond))
	if reasons := d.e.SinkTroubles(); len(reasons) != 0 {
		t.Errorf("reasons a week later %q", reasons)
	}
}

// What was gone before the sink began is not missed. A store that is too large waits for no sink.
func TestSinkMissesWhatRetentionBytesTakes(t *testing.T) {
	t.Parallel()
	d := openDays(t, 5)
	defer func() { _ = d.e.Close() }()
	most := &atomic.Int64{}
	d.opts.RetentionBytes = most.Load
	for range 100 {
		d.send(0, event.Track, "ada")
	}
	d.now.Add(10 * 24 * int64(time.Hour/time.Millisecond))
	for range 100 {
		d.send(3, event.Track, "bob")
	}
	for range 100 {
		d.send(0, event.Track, "eve")
	}
	d.reopen()
	d.waitState(d.waitRetention(1)[0].ID, query.DeletionDone)
	s := &downSink{place: sinktest.New(false)}
	d.opts.Sinks = s.config()
	d.reopen()
	d.carry(s.config())
	most.Store(1)
	d.opts.Sinks = s.config()
	d.reopen()
	all := d.waitRetention(2)
	if all[1].Reason != "retention_bytes" || all[1].Rows != 100 {
		t.Fatalf("%+v", all[1])
	}
	d.waitState(all[1].ID, query.DeletionDone)
	s.up.Store(true)
	st, err := until(d.e, carriedAll(d.e))
	if err != nil || st.Sites[0].Missed != 100 {
		t.Fatalf("%+v, %v", st, err)
	}
	if rows := s.place.Rows(st.Sites[0].Store, "shop"); len(rows) != 100 {
		t.Errorf("the sink has %d rows", len(rows))
	}
}

// A site that is deleted leaves the sink, however long it was down, before a new site of its name comes.
func TestSinkForgetsASite(t *testing.T) {
	t.Parallel()
	old, again := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, &engine.Site{Site: query.Site{ID: 2, Name: "shop"}}
	sites := &atomic.Pointer[engine.Site]{}
	sites.Store(old)
	s := &downSink{place: sinktest.New(false)}
	s.up.Store(true)
	o := engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: func() []*engine.Site { return []*engine.Site{sites.Load()} }, SealRows: 64, Sinks: s.config()}
	e := open(t, o)
	send := func(site *engine.Site, n int) {
		t.Helper()
		for range n {
			if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "a"}}}}, true, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(old, 100)
	st, err := until(e, carriedAll(e))
	if err != nil {
		t.Fatal(err)
	}
	number := st.Sites[0].Store
	s.up.Store(false)
	r, err := e.Delete(t.Context(), &old.Site, query.Deletion{Kind: query.DeleteSite, Now: true})
	if err != nil || r.Rows != 100 {
		t.Fatal(r, err)
	}
	sites.Store(again)
	if err := e.NoteSites(); err != nil {
		t.Fatal(err)
	}
	send(again, 30)
	if _, err := e.WaitPurged(t.Context(), &old.Site, r.ID); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	o.Sinks = s.config()
	e = open(t, o)
	if n := len(s.place.Rows(number, "shop")); n != 100 {
		t.Fatalf("%d rows", n)
	}
	s.up.Store(true)
	if _, err := until(e, carriedAll(e)); err != nil {
		t.Fatal(err)
	}
	if err := sameAsSink(e, s.place, &again.Site); err != nil {
		t.Error(err)
	}
	if rows := s.place.Rows(number, "shop"); len(rows) != 30 {
		t.Errorf("%d rows of the new site", len(rows))
	}
	all, err := e.Deletions(t.Context(), &old.Site)
	if err != nil || all[0].Sinks[0].At == 0 || all[0].State != query.DeletionDone {
		t.Errorf("%+v, %v", all, err)
	}
}

// A deletion reaches a sink that was not configured meanwhile.
func TestDeletionWhileASinkIsAway(t *testing.T) {
	t.Parallel()
	d := openDays(t, 0)
	defer func() { _ = d.e.Close() }()
	s := &downSink{place: sinktest.New(true)}
	s.up.Store(true)
	d.carry(s.config())
	for i := range 100 {
		d.send(1, event.Track, []string{"ada", "bob"}[i%2])
	}
	st, err := until(d.e, carriedAll(d.e))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.e.CarryTo(nil); err != nil {
		t.Fatal(err)
	}
	r, err := d.e.Delete(t.Context(), &d.site.Load().Site, d.user("bob", true))
	if err != nil || len(r.Sinks) != 1 {
		t.Fatal(r, err)
	}
	if _, err := d.e.WaitPurged(t.Context(), &d.site.Load().Site, r.ID); err != nil {
		t.Fatal(err)
	}
	d.reopen()
	if n := len(s.place.Rows(st.Sites[0].Store, "shop")); n != 100 {
		t.Fatal(n)
	}
	d.carry(s.config())
	if _, err := until(d.e, carriedAll(d.e)); err != nil {
		t.Fatal(err)
	}
	if n := len(s.place.Rows(st.Sites[0].Store, "shop")); n != 50 {
		t.Errorf("the sink has %d rows", n)
	}
	if r := d.waitState(r.ID, query.DeletionDone); r.Sinks[0].At == 0 {
		t.Errorf("%+v", r)
	}
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
)

// timeList measures the list of properties over n events.
func timeList(t *testing.T, n int, o engine.Options, properties func(i int) event.Object) (page query.CounterPage) {
	t.Helper()
	site := &engine.Site{Site: query.Site{ID: 1, Name: "many"}}
	o.Dir, o.Reserve, o.Sites = t.TempDir(), -1, engine.SitesOf(site)
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i := 0; i < n; {
		var records []engine.Record
		for ; len(records) < 200 && i < n; i++ {
			records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{
				Dialect: event.Native, Type: event.Track, Name: "e", Anonymous: "d" + strconv.Itoa(i%1000), Properties: properties(i),
			}}})
		}
		if out, err := e.Ingest(context.Background(), records, true, nil); err != nil || out[0].Status != event.Stored {
			t.Fatal(err, out[0].Err)
		}
	}
	for _, metrics := range []query.Metrics{query.MetricEvents, 0} {
		began, cpu := time.Now(), cpuTime()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var err error
		page, err = e.Counters(context.Background(), query.CounterQuery{Site: &site.Site, Limit: 1000, Metrics: metrics})
		runtime.ReadMemStats(&after)
		t.Logf("%d events, metrics %d: %d properties, %v, %v of CPU, %d MB allocated, %v", n, metrics, page.Count, time.Since(began), cpuTime()-cpu, (after.TotalAlloc-before.TotalAlloc)>>20, err)
		if err != nil {
			t.Error(err)
		}
	}
	return page
}

// A list of more names than memory holds is refused, before they are held. The question for fewer
// days is answered.
func TestMoreNamesThanMemoryHolds(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "many"}}
	clock := newClock(epoch.Add(1000 * time.Hour))
	e, err := engine.Open(engine.Options{Dir: t.TempDir(), Reserve: -1, Memory: 40 << 20, SealRows: 12, MergeRuns: 2, Sites: engine.SitesOf(site), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := context.Background()
	today := calendar.Day(clock.now().UnixMilli(), nil)
	const days = 4
	for day := range days {
		for part := range 16 {
			var b strings.Builder
			for k := range 250 {
				fmt.Fprintf(&b, `,"day %d name %d":1`, day, part*250+k)
			}
			r := engine.Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "e", Anonymous: "a",
				Time: clock.now().UnixMilli() - int64(day)*calendar.DayMillis, Properties: event.Object{{Key: "o", Value: event.Raw("{" + b.String()[1:] + "}")}}}}}
			if out, err := e.Ingest(ctx, []engine.Record{r}, true, nil); err != nil || out[0].Status != event.Stored {
				t.Fatal(err, out[0].Err)
			}
		}
	}
	for _, metrics := range []query.Metrics{0, query.MetricEvents} {
		_, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Limit: 10, Metrics: metrics})
		if !errors.Is(err, query.ErrBadQuery) || !strings.Contains(err.Error(), "ask for fewer days") {
			t.Errorf("all days: %v", err)
		}
		for day := range int32(days) {
			page, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Limit: 10, Metrics: metrics, FromDay: today - day, ToDay: today - day})
			if err != nil || page.Count != 4001 || page.Total.Events != 16 {
				t.Errorf("one day: %d properties of %d events, %v", page.Count, page.Total.Events, err)
			}
		}
	}
}

// An object has a column, and so do its leaves share cells.
func objects(i int) event.Object {
	var b strings.Builder
	for k := range 25 {
		fmt.Fprintf(&b, `,"leaf%d":%d`, k, (i+k)%7)
	}
	return event.Object{{Key: "object" + strconv.Itoa(i%15), Value: event.Raw("{" + b.String()[1:] + "}")}}
}

func TestTimeOfManyNames(t *testing.T) {
	if os.Getenv("CAIRN_TIMES") == "" {
		t.Skip("measures; set CAIRN_TIMES=1")
	}
	for _, seal := range []int{0, 1 << 19} {
		t.Run(fmt.Sprintf("objects seal=%d", seal), func(t *testing.T) { timeList(t, 70_000, engine.Options{SealRows: seal}, objects) })
	}
	t.Run("values", func(t *testing.T) {
		timeList(t, 12_000, engine.Options{}, func(i int) event.Object {
			var b strings.Builder
			for k := range 1000 {
				fmt.Fprintf(&b, ",%d", i*1000+k)
			}
			return event.Object{{Key: "p", Value: event.Raw("[" + b.String()[1:] + "]")}}
		})
	})
}

// A person with very many linked ids is read in time.
func TestPersonOfManyIDs(t *testing.T) {
	ids := 3000
	if os.Getenv("CAIRN_TIMES") != "" {
		ids, _ = strconv.Atoi(os.Getenv("CAIRN_TIMES"))
	}
	site := &engine.Site{Site: query.Site{ID: 1, Name: "many"}}
	e, err := engine.Open(engine.Options{Dir: t.TempDir(), Reserve: -1, Sites: engine.SitesOf(site), SealRows: ids / 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := context.Background()
	send := func(n int, make func(i int) event.Event) {
		for i := 0; i < n; {
			var records []engine.Record
			for ; len(records) < 1000 && i < n; i++ {
				records = append(records, engine.Record{Site: site, Record: &event.Record{Event: make(i)}})
			}
			if _, err := e.Ingest(ctx, records, true, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Half of the ids are devices of one user, the others a chain of aliases. A previous id counts
	// as a device too.
	send(ids/2, func(i int) event.Event {
		return event.Event{Dialect: event.Native, Type: event.Identify, User: "T", Anonymous: "device-" + strconv.Itoa(i)}
	})
	send(ids/2, func(i int) event.Event {
		return event.Event{Dialect: event.Native, Type: event.Track, Name: "e", User: "user-" + strconv.Itoa(i)}
	})
	send(ids/2, func(i int) event.Event {
		next := "T"
		if i > 0 {
			next = "user-" + strconv.Itoa(i-1)
		}
		return event.Event{Dialect: event.Native, Type: event.Alias, User: next, Previous: "user-" + strconv.Itoa(i)}
	})
	for _, id := range []string{"T", "user-7", "device-9"} {
		began, cpu := time.Now(), cpuTime()
		u, err := e.User(ctx, &site.Site, id)
		t.Logf("%s: %d aliases, %d devices, %v, %v of CPU", id, len(u.Aliases), len(u.Anonymous), time.Since(began), cpuTime()-cpu)
		if err != nil || u.ID != "T" || len(u.Aliases) != ids/2 || len(u.Anonymous) != ids || u.Events != uint64(ids/2*3) {
			t.Errorf("%s: %s has %d aliases, %d devices and %d events, %v", id, u.ID, len(u.Aliases), len(u.Anonymous), u.Events, err)
		}
	}
	began, cpu := time.Now(), cpuTime()
	users, next, err := e.Users(ctx, query.Query{Site: &site.Site, Limit: 100})
	t.Logf("a page of %d persons: %v, %v of CPU", len(users), time.Since(began), cpuTime()-cpu)
	if err != nil || len(users) != 1 || next != "" {
		t.Errorf("%d persons, %q, %v", len(users), next, err)
	}
	began, cpu = time.Now(), cpuTime()
	totals, err := e.Count(ctx, query.Query{Site: &site.Site, Where: []query.Cond{{Field: "user", Values: []string{"T"}}}})
	t.Logf("their events: %v, %v of CPU", time.Since(began), cpuTime()-cpu)
	if err != nil || totals.Events != uint64(ids/2*3) {
		t.Errorf("%+v, %v", totals, err)
	}
}

// The work for one id of a person does not grow with the number of rows that are not sealed
// yet: the aliases are read once, not once for each id. It does not grow with the columns of
// the site either: of an alias, the ids alone are read. Both take allocations.
func TestPersonReadsAliasesOnce(t *testing.T) {
	const ids = 2000
	site := &engine.Site{Site: query.Site{ID: 1, Name: "many"}}
	e, err := engine.Open(engine.Options{Dir: t.TempDir(), Reserve: -1, Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	wide := event.Object{}
	for i := range 100 {
		wide = append(wide, event.Member{Key: "k" + strconv.Itoa(i), Value: event.Raw(`["a",["b"]]`)})
	}
	ctx := context.Background()
	for _, ev := range []event.Event{{Type: event.Track, Name: "e"}, {Type: event.Alias, User: "T", Extra: wide}} {
		var records []engine.Record
		for i := range ids {
			ev, id := ev, "user-"+strconv.Itoa(i)
			if ev.Dialect = event.Native; ev.Type == event.Alias {
				ev.Previous = id
			} else {
				ev.User = id
			}
			records = append(records, engine.Record{Site: site, Record: &event.Record{Event: ev}})
		}
		if _, err := e.Ingest(ctx, records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	allocs := testing.AllocsPerRun(1, func() {
		if u, err := e.User(ctx, &site.Site, "T"); err != nil || u.ID != "T" || len(u.Aliases) != ids {
			t.Errorf("%s has %d aliases, %v", u.ID, len(u.Aliases), err)
		}
	})
	t.Logf("%.1f allocations an id", allocs/ids)
	if allocs > 110*ids {
		t.Errorf("%.0f allocations for a person of %d ids", allocs, ids)
	}
}

// More keys than a part has columns: the others share one column of their kind. Every answer is
// the same as if each key had its own column: in memory, sealed, merged, reopened and checked.

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
)

// manyKeys sends a site's events to an engine and to the model.
type manyKeys struct {
	*boundsPair
	rng *rand.Rand
	n   int // number of events so far
}

const (
	manyProperties = 1500
	manyExtras     = 300
	partRows       = 40
)

func (p *manyKeys) send(events ...*event.Event) {
	p.Helper()
	var records []engine.Record
	for _, e := range events {
		e.Dialect, e.Type, e.Name, e.User = event.Native, event.Track, "n", fmt.Sprint("u", p.n%7)
		e.Time = epoch.Add(-time.Duration(p.n%50) * time.Hour).UnixMilli()
		records = append(records, engine.Record{Site: p.site, Record: &event.Record{Event: *e}})
		p.n++
	}
	theirs, err := p.e.Ingest(p.Context(), copyRecords(records), true, nil)
	if err != nil {
		p.Fatal(err)
	}
	mine, _ := p.m.Ingest(p.Context(), records, true, nil)
	if err := p.m.adopt(records, mine, theirs); err != nil {
		p.Fatal(err)
	}
}

func property(i int) string { return fmt.Sprintf("k%04d", i%manyProperties) }
func extra(i int) string    { return fmt.Sprintf("x%04d", i%manyExtras) }

// value returns one of a few values, of all kinds.
func (p *manyKeys) value() event.Value {
	return []event.Value{
		event.Str("a"), event.Str("b"), event.Num("1"), event.Boolean(true), {Kind: event.Null},
		event.Raw(`["a",{"y":"b"}]`), event.Raw(`{"y":"a","z":{"y":[1,2]}}`),
	}[p.rng.IntN(7)]
}

// part sends the events of one part: first some that together have every key, then some with a
// few keys each.
func (p *manyKeys) part(first int) (events []*event.Event) {
	const wide = 250
	for at := 0; at < manyProperties; at += wide {
		e := new(event.Event)
		for i := range wide {
			e.Properties.Set(property(first+at+i), p.value())
		}
		events = append(events, e)
	}
	all := &event.Event{Extra: object(extra(first), "a")}
	for _, key := range event.ContextKeys {
		v := event.Str("v")
		switch key {
		case "latitude", "longitude":
			v = event.Num("1.5")
		case "bot":
			v = event.Boolean(true)
		}
		all.Context.Set(key, v)
	}
	events = append(events, all)
	for len(events) < partRows {
		events = append(events, p.narrow())
	}
	return events
}

// narrow returns an event with a few of the keys.
func (p *manyKeys) narrow() *event.Event {
	e := new(event.Event)
	for range 10 {
		e.Properties.Set(property(p.rng.IntN(manyProperties)), p.value())
		e.Extra.Set(extra(p.rng.IntN(manyExtras)), p.value())
	}
	if p.rng.IntN(4) == 0 {
		e.Properties.Set("country", event.Str("XX"))
	}
	if p.rng.IntN(4) == 0 {
		e.Properties.Set("k0007.y", event.Str("a")) // the same path as y inside k0007
	}
	if p.rng.IntN(2) == 0 {
		e.Context = object("browser", "Firefox", "country", []string{"DE", "NL"}[p.rng.IntN(2)], "utm_source", "mail")
		e.Context.Set("bot", event.Boolean(p.rng.IntN(2) == 0))
	}
	return e
}

// answers compares single events, filters and counters with the model.
func (p *manyKeys) answers(when string) {
	p.Helper()
	where := func(pairs ...string) (all []query.Cond) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, query.Cond{Field: pairs[i], Values: []string{pairs[i+1]}})
		}
		return all
	}
	conditions := [][]query.Cond{
		nil, where("country", "NL"), where("utm_source", "mail", "user", "u3"), where("bot", "true"), where("prop.country", "XX"),
		where("prop.k0007.y", "a"), {{Field: "prop.k0003", Values: []string{"a", "true"}}},
	}
	for range 8 {
		key, other := property(p.rng.IntN(manyProperties)), property(p.rng.IntN(manyProperties))
		conditions = append(conditions, where("prop."+key, "a"), where("prop."+key, "1"), where("prop."+key+".y", "a"), where("prop."+key+".z.y", "2"),
			where("prop."+key, "a", "country", "DE"), where("prop."+key, "b", "prop."+other, "a"), where("extra."+extra(p.rng.IntN(manyExtras)), "b"))
	}
	found := 0
	for _, c := range conditions {
		for _, ascending := range []bool{true, false} {
			q := query.Query{Site: &p.site.Site, Where: c, Ascending: ascending, Limit: 100}
			got, err := walk(p.e, q)
			want, _ := walk(p.m, q)
			if err != nil || !slices.EqualFunc(got, want, func(a, b *event.Event) bool { return show(a) == show(b) }) {
				p.Errorf("%s: the listing of %q has %d events, %v; want %d", when, c, len(got), err, len(want))
			}
			if c != nil {
				found += len(want)
			}
		}
		q := query.Query{Site: &p.site.Site, Where: c}
		got, err := p.e.Count(p.Context(), q)
		if want, _ := p.m.Count(p.Context(), q); err != nil || got != want {
			p.Errorf("%s: %q counts %+v, %v; want %+v", when, c, got, err, want)
		}
		said, err := p.e.Digest(p.Context(), q)
		if want, _ := p.m.Digest(p.Context(), q); err != nil || showObject(said.Properties)+showObject(said.Context) != showObject(want.Properties)+showObject(want.Context) {
			p.Errorf("%s: the digest of %q differs, %v", when, c, err)
		}
	}
	if found == 0 {
		p.Errorf("%s: no condition finds any event", when)
	}
	// What the model cannot answer: events that are no bots', and counted countries.
	all, _ := p.m.Count(p.Context(), query.Query{Site: &p.site.Site})
	bots, _ := p.m.Count(p.Context(), query.Query{Site: &p.site.Site, Where: where("bot", "true")})
	if got, err := p.e.Count(p.Context(), query.Query{Site: &p.site.Site, Where: where("bot", "false")}); err != nil || got.Events != all.Events-bots.Events {
		p.Errorf("%s: %d events are not from bots, %v; want %d", when, got.Events, err, all.Events-bots.Events)
	}
	for _, country := range []string{"NL", "XX"} {
		want, _ := p.m.Counters(p.Context(), query.CounterQuery{Site: &p.site.Site, Property: "country", Values: []string{country}})
		if got, err := p.e.Count(p.Context(), query.Query{Site: &p.site.Site, Where: where("counted.country", country)}); err != nil || int64(got.Events) != want.Total.Events {
			p.Errorf("%s: %d events count under %s, %v; want %d", when, got.Events, country, err, want.Total.Events)
		}
	}

	days := dayOf(epoch.UnixMilli(), nil)
	properties := []string{"name", "country", "browser", "utm_source", "k0007.y", "k0007"}
	for range 6 {
		key := property(p.rng.IntN(manyProperties))
		properties = append(properties, key, key+".y", key+".z.y")
	}
	p.same(when, query.CounterQuery{}, query.CounterQuery{Where: where("prop.k0007.y", "a")})
	for _, name := range properties {
		p.same(when, query.CounterQuery{Property: name}, query.CounterQuery{Property: name, FromDay: days - 1, ToDay: days},
			query.CounterQuery{Property: name, From: epoch.Add(-20 * time.Hour).UnixMilli()},
			query.CounterQuery{Property: name, Where: where("country", "DE")}, query.CounterQuery{Property: name, Where: where("prop.k0007.y", "a")},
			query.CounterQuery{Property: name, Segment: "country"}, query.CounterQuery{Property: name, Segment: "k0003"})
	}
}

func TestKeysWithoutColumns(t *testing.T) {
	t.Parallel()
	p := &manyKeys{boundsPair: newBoundsPair(t, partRows), rng: rand.New(rand.NewPCG(1, 2))}
	for round := range 2 {
		// A key has a column in one part and none in another. Two consecutive parts have the same
		// columns, so their runs are merged.
		for _, first := range []int{p.rng.IntN(manyProperties), 0, 0} {
			p.send(p.part(first)...)
		}
		for range 15 { // these stay in memory
			p.send(p.narrow())
		}
		when := fmt.Sprint("round ", round)
		p.answers(when)
		for tries := 0; p.e.Stats().Merges == 0; tries++ {
			if tries > 1000 {
				t.Fatalf("%s: none of %d runs is merged", when, p.e.Stats().Runs)
			}
			time.Sleep(10 * time.Millisecond)
		}
		p.answers(when + ", merged")
		p.reopen()
		p.answers(when + ", reopened")
	}
	if err := p.e.Close(); err != nil {
		t.Fatal(err)
	}
	sizes, err := check.Measure(p.fs, "data")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"prop.*", "extra.*"} {
		if !slices.ContainsFunc(sizes.Fields, func(f check.FieldSize) bool { return f.Field == field }) {
			t.Errorf("no run has a column %s", field)
		}
	}
}

// The cap on names: over it, a day's names of properties count together under (other). Engine
// and model agree, in memory, sealed, merged and checked.

package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

// newNamesPair returns a pair with a cap on names.
func newNamesPair(t *testing.T, sealRows, names int) *boundsPair {
	p := newBoundsPair(t, sealRows)
	if err := p.e.Close(); err != nil {
		t.Fatal(err)
	}
	p.e = nil
	p.options.NamesPerDay, p.m.namesPerDay = names, names
	p.reopen()
	return p
}

// on sends events of a day; day 0 is that of the epoch.
func (p *boundsPair) on(day int, events ...*event.Event) {
	p.Helper()
	var records []engine.Record
	for _, e := range events {
		e.Dialect, e.Type, e.Time = event.Native, event.Track, epoch.Add(time.Duration(day)*24*time.Hour).UnixMilli()
		records = append(records, engine.Record{Site: p.site, Record: &event.Record{Event: *e}})
	}
	if _, err := p.e.Ingest(p.Context(), copyRecords(records), true, nil); err != nil {
		p.Fatal(err)
	}
	_, _ = p.m.Ingest(p.Context(), records, true, nil)
}

func object(pairs ...string) (o event.Object) {
	for i := 0; i < len(pairs); i += 2 {
		v := event.Str(pairs[i+1])
		if strings.ContainsAny(pairs[i+1][:1], "[{") {
			v = event.Raw(pairs[i+1])
		}
		o = append(o, event.Member{Key: pairs[i], Value: v})
	}
	return o
}

func TestNamesOverTheCap(t *testing.T) {
	p := newNamesPair(t, 30, 4)
	properties := []string{"", event.Other, "a", "b", "c.x", "c.y", "d", "e", "f", "g.h.i", "country", "name", "title", "zz1.c"}
	send := func(day int) {
		p.on(day,
			&event.Event{Name: "n", User: "u", Properties: object("a", "1", "b", "2")},
			&event.Event{Name: "n", User: "u", Properties: object("c", `{"x":["1","2"],"y":"3"}`, "country", "XX"), Context: object("title", "T", "country", "NL")},
			&event.Event{User: "v", Properties: object("d", "1")}, // over the cap on the first day
			&event.Event{User: "v", Properties: object("d", "1", "e", "2", "g", `{"h":[{"i":1},{"i":2}]}`), Segments: []string{"d", "a"}},
			&event.Event{User: "w", Properties: object("a", "9", "f", "1", "zz1", `{"c":"not counted"}`), Segments: []string{event.Other}},
			&event.Event{User: "w", Properties: object(event.Other, "explicit", "f", "1")},
			&event.Event{User: "x", Properties: object(event.Other, event.Other, "f", "1")},
			&event.Event{User: "x", Properties: object(event.Other, event.Other)},
			&event.Event{User: "x", Properties: object("f", "1"), Increments: []event.Amount{{Property: "f", By: 7}}},
			&event.Event{User: "x", Properties: object("f", "1"), Increments: []event.Amount{{Property: event.Other, By: 5}}},
			&event.Event{User: "x", Properties: object("f", "1"), Uncounted: true},
			&event.Event{User: "x", Properties: object("f", `[]`)},
		)
	}
	compare := func(when string) {
		t.Helper()
		p.compare(when, properties...)
		for _, day := range []int32{0, 1, 2} {
			from := dayOf(epoch.UnixMilli(), nil) - day
			p.same(when, query.CounterQuery{Property: "", FromDay: from, ToDay: from}, query.CounterQuery{Property: event.Other, FromDay: from, ToDay: from})
		}
		for _, where := range [][]query.Cond{{{Field: "user", Values: []string{"w"}}}, {{Field: "prop.f", Values: []string{"1"}}}} {
			p.same(when, query.CounterQuery{Where: where}, query.CounterQuery{Property: event.Other, Where: where}, query.CounterQuery{Property: "d", Where: where})
		}
		for _, segment := range []string{"a", "d", "f", event.Other, "country"} {
			p.same(when, query.CounterQuery{Property: event.Other, Segment: segment}, query.CounterQuery{Property: "a", Segment: segment}, query.CounterQuery{Property: "e", Segment: segment})
		}
		found, err := p.e.Count(t.Context(), query.Query{Site: &p.site.Site, Where: []query.Cond{{Field: "prop.f", Values: []string{"1"}}}})
		want, _ := p.m.Count(t.Context(), query.Query{Site: &p.site.Site, Where: []query.Cond{{Field: "prop.f", Values: []string{"1"}}}})
		if err != nil || found != want || found.Events == 0 {
			t.Errorf("%s: an uncounted property is found in %+v, %v; want %+v", when, found, err, want)
		}
	}
	for round := range 3 {
		for day := range 3 {
			if day == 1 { // other names come first on this day
				p.on(-1, &event.Event{Properties: object("f", "1", "d", "2", "e", "3")})
			}
			send(-day)
		}
		compare(fmt.Sprint("round ", round))
		p.reopen()
		compare(fmt.Sprint("round ", round, ", reopened"))
	}
	if s := p.e.Stats(); s.Runs == 0 {
		t.Error("nothing was sealed")
	}
}

// More names than a part has columns: names without a column of their own share one, and are
// counted from it.
func TestNamesWithoutColumns(t *testing.T) {
	p := newNamesPair(t, 400, 1500)
	p.options.Pairs = 700 // fewer than the rows of the names
	p.reopen()
	name := func(i int) string { return fmt.Sprintf("n%d", i) }
	for i := range 160 {
		if i == 80 { // of a name that counted until then
			p.site.Uncounted = append(p.site.Uncounted, name(21))
		}
		from, day := i%80*50, -(i/80+i)%2 // each name comes on both days, on one of them over the cap
		var o event.Object
		for i := range 50 {
			o.Set(name((from+i)*7%4000), event.Num("1"))
		}
		o.Set("nested", event.Raw(fmt.Sprintf(`{"k%d":{"a":%d}}`, from, from)))
		p.on(day, &event.Event{User: "u", Properties: o})
		p.on(day, &event.Event{User: "v", Properties: event.Object{{Key: name(from / 3), Value: event.Raw(fmt.Sprintf(`["x",{"y":%d}]`, from))}}})
	}
	properties := []string{"", event.Other, name(0), name(7), name(7 * 1400 % 4000), name(7 * 1600 % 4000), "nested.k0.a", "nested.k3900.a", name(50) + ".y"}
	p.compare("at once", properties...)
	p.reopen()
	p.compare("reopened", properties...)
	for i := range 800 { // seals the events in memory
		p.on(0, &event.Event{User: "u", Properties: object(name(i), "again")})
	}
	p.compare("going on", properties...)
	p.reopen()
	p.compare("at the end", properties...)
}

// Rows that differ only in a name that is over the cap in some of them. What the columns say
// about all rows at once is wrong for these rows.
func TestNamesOverTheCapInAFew(t *testing.T) {
	p := newNamesPair(t, 8, 2)
	for day := range 12 {
		p.on(-day, &event.Event{Name: "n", User: "u", Properties: object("a", "1", "b", "2")})
		p.on(-day-12, &event.Event{Name: "n", User: "v", Properties: object("x", "1", "y", "2", "a", "1", "b", "2")})
	}
	for _, when := range []string{"at once", "reopened", "with others first"} {
		p.compare(when, "", event.Other, "a", "b", "x", "z", "name")
		for _, user := range []string{"u", "v"} {
			where := []query.Cond{{Field: "user", Values: []string{user}}}
			p.same(when, query.CounterQuery{Where: where}, query.CounterQuery{Property: "a", Where: where})
		}
		p.reopen()
		for day := range 24 { // each day has the same names
			p.on(-day, &event.Event{Name: "n", User: "u", Properties: object("z", "1", "y", "2", "b", "3")})
		}
	}
}

// The list of properties reads the rows once for all names inside objects, and once more for
// their users. It does not read them for each name.
func TestListOfManyNames(t *testing.T) {
	looks := func(names int) int64 {
		p := newNamesPair(t, 1<<16, 4096)
		for i := range names {
			p.on(0, &event.Event{User: fmt.Sprint("u", i%7), Properties: object("p", fmt.Sprintf(`{"k%d":1}`, i))})
		}
		looking := &countingContext{Context: t.Context()}
		page, err := p.e.Counters(looking, query.CounterQuery{Site: &p.site.Site, Limit: 10_000})
		if err != nil || page.Count != names || page.Rows[0].Users != 1 {
			t.Fatalf("%d properties, %v", page.Count, err)
		}
		return looking.checks.Load()
	}
	if few, many := looks(200), looks(1600); many > 2*few {
		t.Errorf("the time is checked %d times for 200 names, %d times for 1,600", few, many)
	}
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A condition that is tried on a large dictionary, or asked row by row, looks at the time. At
// whatever check the time is over, a query ends with an error, and a listing goes on with its
// cursor: no answer is ever made of rows that were not all looked at.
func TestConditionsOutOfTime(t *testing.T) {
	const rows, large = 40, 64 << 10
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range rows {
		ev := &event.Event{Dialect: event.Native, Type: event.Track, Name: "n", User: fmt.Sprint("u", i), Properties: event.Object{{Key: "text", Value: event.Str(fmt.Sprint(i%2) + strings.Repeat("x", large) + fmt.Sprint(i))}}}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []query.Cond{
		{Field: "prop.text", Op: query.OpMatch, Values: []string{"1*"}},
		{Field: "prop.text", Op: query.OpNotMatch, Values: []string{"1*", "2*"}},
		{Field: "prop.text", Op: query.OpAtMost, Values: []string{"5"}},
		{Field: "prop.text", Op: query.OpHas},
		{Field: "user", Op: query.OpMatch, Values: []string{"u1*"}},
		{Field: "channel", Values: []string{"direct"}},
	} {
		where := []query.Cond{c, {Field: "name", Values: []string{"n"}}}
		q := query.Query{Site: &site.Site, Where: where, Limit: rows}
		whole, err := e.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for stop := int64(1); ; stop++ {
			ctx := &countingContext{Context: t.Context(), stop: stop, err: context.DeadlineExceeded}
			page, err := e.List(ctx, q)
			if err != nil && !errors.Is(err, query.ErrQueryTimeout) || err == nil && page.Next == "" && len(page.Events) != len(whole.Events) {
				t.Errorf("%v: done at check %d: %d events of %d, next %q, %v", c, stop, len(page.Events), len(whole.Events), page.Next, err)
			}
			if ctx.checks.Load() < stop {
				break
			}
		}
		for stop := int64(1); ; stop++ {
			ctx := &countingContext{Context: t.Context(), stop: stop, err: context.DeadlineExceeded}
			q.To = 1<<50 + stop // no kept answer
			totals, err := e.Count(ctx, q)
			if err != nil && !errors.Is(err, query.ErrQueryTimeout) || err == nil && totals.Events != uint64(len(whole.Events)) {
				t.Errorf("%v: done at check %d: %d events of %d, %v", c, stop, totals.Events, len(whole.Events), err)
			}
			if ctx.checks.Load() < stop {
				break
			}
		}
	}
}

// A pattern that cannot be made slow: 4 KB of stars and letters against long texts, whatever
// matches and what does not.
func TestHostilePatterns(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "n", Properties: event.Object{{Key: "text", Value: event.Str(strings.Repeat("a", 200<<10))}}}
	if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
		t.Fatal(err)
	}
	var many []string
	for i := range 256 {
		many = append(many, fmt.Sprint(strings.Repeat("*a", 50), "b", i))
	}
	for _, c := range []struct {
		patterns []string
		want     uint64
	}{
		{[]string{strings.Repeat("*", 4096)}, 1}, {[]string{strings.Repeat("*a", 2048)}, 1}, {[]string{strings.Repeat("a*", 2047) + "b"}, 0},
		{[]string{strings.Repeat("*aa", 1365) + "b*"}, 0}, {many, 0}, {append(many, "A*A"), 1},
	} {
		got, err := e.Count(t.Context(), query.Query{Site: &site.Site, Where: []query.Cond{{Field: "prop.text", Op: query.OpMatch, Values: c.patterns}}})
		if err != nil || got.Events != c.want {
			t.Errorf("%d patterns like %.20s: %d events, %v", len(c.patterns), c.patterns[0], got.Events, err)
		}
	}
}

// What the engine refuses about conditions, it refuses as a bad query.
func TestBadConditions(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []query.Cond{
		{Field: "colour", Values: []string{"red"}}, {Field: "colour", Op: query.OpHas}, {Field: "prop.", Op: query.OpHas}, {Field: ""}, {Field: "entry", Values: []string{"/"}},
		{Field: "name", Op: "like", Values: []string{"x"}}, {Field: "value", Op: query.OpAtLeast, Values: []string{"many"}}, {Field: "value", Op: query.OpAtMost, Values: []string{"1", strings.Repeat("9", 65)}},
	} {
		if _, err := e.Count(t.Context(), query.Query{Site: &site.Site, Where: []query.Cond{c}}); !errors.Is(err, query.ErrBadQuery) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// Numbers compare exactly, at the bound too; what is no number compares with none.
func TestNumberConditions(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, v := range []event.Value{
		event.Num("100"), event.Num("1e2"), event.Str("100"), event.Str("0100"), event.Str("1e2"), event.Num("99.99999999999999999999"), event.Num("100.00000000000000000001"),
		event.Num("-100"), event.Num("-100.5"), event.Num("0"), event.Str("many"), event.Boolean(true), event.Raw(`[1,1000]`), event.Raw(`[]`), {Kind: event.Null},
	} {
		ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "n", Properties: event.Object{{Key: "a", Value: v}}}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		op     query.Op
		values []string
		want   uint64
	}{
		{query.OpAtLeast, []string{"100"}, 5}, {query.OpAtLeast, []string{"1.00e2"}, 5}, {query.OpAtLeast, []string{"100.000000000000000000001"}, 2}, {query.OpAtLeast, []string{"-100"}, 8},
		{query.OpAtMost, []string{"100"}, 8}, {query.OpAtMost, []string{"-100"}, 2}, {query.OpAtMost, []string{"-100.5"}, 1}, {query.OpAtMost, []string{"-101"}, 0}, {query.OpAtMost, []string{"0"}, 3},
		{query.OpAtLeast, []string{"5000", "100"}, 5}, {query.OpAtMost, []string{"-5000", "0"}, 3}, {query.OpAtLeast, []string{"-1e300"}, 9}, {query.OpHas, nil, 13}, {query.OpHasNot, nil, 2},
	} {
		got, err := e.Count(t.Context(), query.Query{Site: &site.Site, Where: []query.Cond{{Field: "prop.a", Op: c.op, Values: c.values}}})
		if err != nil || got.Events != c.want {
			t.Errorf("%s %q: %d events, %v, want %d", c.op, c.values, got.Events, err, c.want)
		}
	}
}

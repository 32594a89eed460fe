// The model's counters and terms: what each event counts, added up again for every query.

package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// count is what one event adds to one value of one property.
type count struct {
	property, term string
	by             int64
}

// detected are the context keys that count like properties.
var detected = []string{
	"title", "country", "region", "city", "browser", "platform", "device", "language", "referrer_host",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
}

// automatic are the segments every event has.
var automatic = []string{"platform", "browser", "country"}

// countsOf lists what e counts before any cap (rule 11), in the order in which caps apply to
// names and values: that of the keys of the properties.
func countsOf(e *event.Event, leaves []count) []count {
	switch e.Type {
	case event.Identify, event.Group, event.Alias, event.Increment:
		return nil
	}
	if e.Uncounted {
		return nil
	}
	terms := slices.Clone(leaves)
	for _, key := range detected {
		if explicit := e.Properties.Get(key).Kind != event.Absent; !explicit {
			for _, t := range termsOf(e.Context.Get(key)) {
				terms = append(terms, count{property: key, term: t})
			}
		}
	}
	if explicit := e.Properties.Get("name").Kind != event.Absent; !explicit && e.Name != "" {
		terms = append(terms, count{property: "name", term: e.Name})
	}
	var out []count
	for _, c := range terms {
		if slices.Contains(e.NotCounted, c.property) {
			continue
		}
		if c.by = amountOf(e, c.property); !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// amountOf returns what an event adds to the counters of a property.
func amountOf(e *event.Event, property string) int64 {
	for _, a := range e.Increments {
		if a.Property == property {
			return a.By
		}
	}
	return 1
}

// countedLeaves returns the property and term of every leaf that counts, in the order in which
// they were sent. Leaves count if they are among the first 1,000, ordered by key and then as
// sent, and if their path has at most 1,024 bytes. Counting also ends when the names, each
// once, and the growth of written-out numbers exceed 4 KiB and four times the properties, or
// 64 KiB.
func countedLeaves(sent event.Object) (leaves []count) {
	out := map[string][]count{}
	o := slices.Clone(sent)
	slices.SortFunc(o, func(a, b event.Member) int { return strings.Compare(a.Key, b.Key) })
	size := 0
	for _, m := range o {
		size += len(m.Key) + len(m.Value.Text)
	}
	bytesLeft, n := min(64<<10, 4<<10+4*size), 0
	seen := map[string]bool{}
	key := ""
	leaf := func(path string, v event.Value) {
		for _, term := range termsOf(v) {
			if n++; n > 1000 || len(path) > 1024 {
				continue
			}
			if !seen[path] {
				seen[path] = true
				bytesLeft -= len(path)
			}
			if bytesLeft -= max(0, len(term)-len(v.Text)); bytesLeft < 0 {
				n = 1001
			} else {
				out[key] = append(out[key], count{property: path, term: term})
			}
		}
	}
	var walk func(d *json.Decoder, path string)
	walk = func(d *json.Decoder, path string) {
		token, err := d.Token()
		if err != nil {
			panic("the generator made bad JSON")
		}
		switch v := token.(type) {
		case json.Delim:
			for d.More() {
				inner := path
				if v == '{' {
					key, _ := d.Token()
					inner += "." + key.(string)
				}
				walk(d, inner)
			}
			_, _ = d.Token()
		case string:
			leaf(path, event.Str(v))
		case json.Number:
			leaf(path, event.Num(v.String()))
		case bool:
			leaf(path, event.Boolean(v))
		}
	}
	for _, m := range o {
		key = m.Key
		if m.Value.Kind == event.JSON {
			d := json.NewDecoder(strings.NewReader(m.Value.Text))
			d.UseNumber()
			walk(d, m.Key)
		} else {
			leaf(m.Key, m.Value)
		}
	}
	for _, m := range o {
		leaves = append(leaves, out[m.Key]...)
	}
	return leaves
}

// Counters adds up every event in the range. Rows are in the order of the query; ties are
// ordered by value and segment.
func (m *model) Counters(_ context.Context, q query.CounterQuery) (query.CounterPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(q.Site)
	type row struct{ value, segment string }
	rows, values, total := map[row]*totalsCounter{}, map[row]map[string]struct{}{}, newTotalsCounter()
	for _, e := range s.living() {
		if day := dayOf(e.Time, q.Site.Location); (q.FromDay != 0 || q.ToDay != 0) && (day < q.FromDay || day > q.ToDay) {
			continue
		}
		if !s.matches(e, q.Where, q.From, q.To) {
			continue
		}
		who := s.persons().of[e.Seq-1]
		if q.Property == "" && len(s.counted[e.Seq]) > 0 {
			total.add(1, who, e.SessionOrd) // the total of the list counts events, not their properties
		}
		for _, c := range s.counted[e.Seq] {
			at := row{value: c.term}
			if q.Property == "" {
				at.value = c.property
			} else if c.property != q.Property || len(q.Values) > 0 && !slices.Contains(q.Values, c.term) {
				continue
			}
			segments := []string{""}
			if q.Segment != "" {
				segments = s.segmentOf(e, c.property, q.Segment)
			}
			for _, at.segment = range segments {
				if q.Segment != "" && len(q.SegmentValues) > 0 && !slices.Contains(q.SegmentValues, at.segment) {
					continue
				}
				if rows[at] == nil {
					rows[at], values[at] = newTotalsCounter(), map[string]struct{}{}
				}
				rows[at].add(c.by, who, e.SessionOrd)
				values[at][c.term] = struct{}{}
				if q.Property != "" {
					total.add(c.by, who, e.SessionOrd)
				}
			}
		}
	}
	page := query.CounterPage{Count: len(rows)}
	fill := func(r *query.CounterRow, t *totalsCounter) {
		r.Events, r.Users, r.Sessions = t.events, uint64(len(t.users)), uint64(len(t.sessions))
	}
	fill(&page.Total, total)
	for at, t := range rows {
		r := query.CounterRow{Value: at.value, Segment: at.segment}
		if q.Property == "" {
			r.Values = uint64(len(values[at]))
		}
		fill(&r, t)
		page.Rows = append(page.Rows, r)
	}
	sort.Slice(page.Rows, func(i, j int) bool { return rowLess(page.Rows[i], page.Rows[j], q.Sort) })
	return page, nil
}

// rowLess orders rows by the sort key of the query, largest first, then by value.
func rowLess(a, b query.CounterRow, by string) bool {
	var less, more bool
	switch by {
	case "", "events":
		less, more = a.Events > b.Events, a.Events < b.Events
	case "users":
		less, more = a.Users > b.Users, a.Users < b.Users
	case "sessions":
		less, more = a.Sessions > b.Sessions, a.Sessions < b.Sessions
	}
	if less || more {
		return less
	}
	if a.Value != b.Value {
		return a.Value < b.Value
	}
	return a.Segment < b.Segment
}

// segmentOf lists the values of a segment in e. There are none when e does not have the
// segment, or when the property is the segment itself.
func (s *modelSite) segmentOf(e *event.Event, property, segment string) []string {
	if property == segment || !slices.Contains(automatic, segment) && !slices.Contains(e.Segments, segment) {
		return nil
	}
	var out []string
	for _, c := range s.counted[e.Seq] {
		if c.property == segment {
			out = append(out, c.term)
		}
	}
	return out
}

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// termsOf returns the term of a scalar, or nil for any other value.
func termsOf(v event.Value) []string {
	switch v.Kind {
	case event.String, event.Bool:
		return []string{v.Text}
	case event.Number:
		return []string{canon(v.Text)}
	}
	return nil
}

// termsOfQuery returns the terms that the text of a query means.
func termsOfQuery(q string) []string {
	if c := canon(q); number.MatchString(q) && c != q {
		return []string{q, c}
	}
	return []string{q}
}

// canon returns the shortest plain decimal of a number's literal.
func canon(literal string) string {
	if !number.MatchString(literal) || len(literal) > 64 {
		return literal
	}
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		return literal
	}
	return decimal(r)
}

// decimal writes r, which has a finite decimal form.
func decimal(r *big.Rat) string {
	s := r.FloatString(320)
	s = strings.TrimRight(s, "0")
	return strings.TrimSuffix(s, ".")
}

func decodeJSON(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic("the generator made bad JSON: " + text)
	}
	return v
}

func TestModelTerms(t *testing.T) {
	for literal, want := range map[string]string{
		"100": "100", "100.0": "100", "1e2": "100", "2.5e2": "250", "-0": "0", "0.10": "0.1", "-1.50": "-1.5", "007": "7", "abc": "abc",
	} {
		if got := canon(literal); got != want {
			t.Errorf("canon(%s) = %s, want %s", literal, got, want)
		}
	}
	if got := termsOfQuery("0100"); !slices.Equal(got, []string{"0100", "100"}) {
		t.Errorf(`termsOfQuery("0100") = %q`, got)
	}
}

// The example of the rules of counters: amounts, one count per event for each distinct element,
// and segments that split only the events that name them.
func TestModelCounters(t *testing.T) {
	m := newModel(func() time.Time { return epoch })
	site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}, Uncounted: []string{"secret"}}
	for _, e := range []*event.Event{
		{Type: event.Track, Name: "buy", User: "u1", Properties: event.Object{{Key: "gender", Value: event.Str("male")}, {Key: "secret", Value: event.Num("1")}}, Increments: []event.Amount{{Property: "gender", By: 10}}},
		{Type: event.Track, Name: "buy", User: "u1", Properties: event.Object{{Key: "gender", Value: event.Str("male")}, {Key: "tags", Value: event.Raw(`["a","b","a",1,1.0]`)}}, Increments: []event.Amount{{Property: "gender", By: -4}}},
		{Type: event.Track, Name: "buy", User: "u2", Properties: event.Object{{Key: "gender", Value: event.Str("female")}, {Key: "age", Value: event.Str("40s")}}, Segments: []string{"age"}},
		{Type: event.Track, Name: "buy", User: "u2", Uncounted: true, Properties: event.Object{{Key: "gender", Value: event.Str("female")}}},
		{Type: event.Identify, User: "u2", Properties: event.Object{{Key: "gender", Value: event.Str("female")}}},
	} {
		e.Dialect = event.Native
		if _, err := m.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *e}}}, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(q query.CounterQuery, want ...query.CounterRow) {
		t.Helper()
		q.Site = &site.Site
		page, _ := m.Counters(t.Context(), q)
		if got := page.Rows; !slices.EqualFunc(got, want, func(a, b query.CounterRow) bool { a.Sessions, a.Values = b.Sessions, b.Values; return a == b }) {
			t.Errorf("%+v:\n got %+v\nwant %+v", q, got, want)
		}
	}
	ask(query.CounterQuery{Property: "gender"},
		query.CounterRow{Value: "male", Events: 6, Users: 1}, query.CounterRow{Value: "female", Events: 1, Users: 1})
	ask(query.CounterQuery{Property: "gender", Segment: "age"},
		query.CounterRow{Value: "female", Segment: "40s", Events: 1, Users: 1})
	ask(query.CounterQuery{Property: "age", Segment: "age"})
	ask(query.CounterQuery{Property: "tags"},
		query.CounterRow{Value: "1", Events: 1, Users: 1}, query.CounterRow{Value: "a", Events: 1, Users: 1}, query.CounterRow{Value: "b", Events: 1, Users: 1})
	ask(query.CounterQuery{Property: "secret"})
}

// Over the cap, a day's new values count under "(other)", and known values still count by
// themselves. Each day has its own cap. The index finds all values. The engine must agree with
// the model before and after a restart.
func TestCap(t *testing.T) {
	const over = 37
	fs := vfs.NewMem()
	w := newWorkload(rand.New(rand.NewPCG(8, 1)))
	options := w.options(fs, rand.New(rand.NewPCG(8, 2)))
	options.SealRows, options.HotEvents = 3000, 8000
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.Close() }()
	m := newModel(func() time.Time { return epoch })
	site := w.sites[0]
	send := func(from, to int, day time.Duration) {
		t.Helper()
		for from < to {
			var records []engine.Record
			for ; from < to && len(records) < 500; from++ {
				records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{
					Dialect: event.Oppizi, Type: event.Track, Name: "x", Time: epoch.Add(day).UnixMilli(),
					Properties: event.Object{{Key: "order", Value: event.Str(fmt.Sprintf("o%d", from))}},
				}}})
			}
			if _, err := e.Ingest(t.Context(), copyRecords(records), true, nil); err != nil {
				t.Fatal(err)
			}
			_, _ = m.Ingest(t.Context(), records, true, nil)
		}
	}
	compare := func(when string) {
		t.Helper()
		for _, value := range []string{"o0", "o9999", "o10001", event.Other} {
			q := query.CounterQuery{Site: &site.Site, Property: "order", Values: []string{value}, Limit: 10}
			want, _ := m.Counters(t.Context(), q)
			got, err := e.Counters(t.Context(), q)
			if err != nil || !slices.Equal(got.Rows, want.Rows) {
				t.Errorf("%s: %s: %+v, %v; want %+v", when, value, got.Rows, err, want.Rows)
			}
		}
		page, err := e.Counters(t.Context(), query.CounterQuery{Site: &site.Site, Property: "order", Limit: 1})
		if all := valuesPerDay + 1; err != nil || page.Count != all {
			t.Errorf("%s: %d values, %v; want %d", when, page.Count, err, all)
		}
		found, err := e.Count(t.Context(), query.Query{Site: &site.Site, Where: []query.Cond{{Field: "prop.order", Values: []string{"o10001"}}}})
		if err != nil || found.Events != 1 {
			t.Errorf("%s: a value over the cap is found %d times, %v", when, found.Events, err)
		}
	}
	send(0, valuesPerDay+over, 0)
	send(0, 1, 0)
	send(5, 6, -24*time.Hour)
	compare("at once")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err = engine.Open(options); err != nil {
		t.Fatal(err)
	}
	compare("after a restart")
	send(valuesPerDay+over, valuesPerDay+over+3, 0)
	compare("and going on")
}

// For a property with many values, the rows of a page are found before their users and sessions
// are counted. Rows and total must still be those of the model.
func TestPagesOfManyValues(t *testing.T) {
	fs := vfs.NewMem()
	random := rand.New(rand.NewPCG(9, 1))
	w := newWorkload(random)
	options := w.options(fs, rand.New(rand.NewPCG(9, 2)))
	options.SealRows, options.HotEvents = 700, 2000
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m := newModel(func() time.Time { return epoch })
	site := w.sites[0]
	for range 6 {
		var records []engine.Record
		for range 500 {
			properties := event.Object{{Key: "sku", Value: event.Str(fmt.Sprint(random.IntN(20) * random.IntN(40)))}}
			if random.IntN(5) == 0 {
				properties = append(properties, event.Member{Key: "country", Value: event.Str([]string{"NL", "DE", "FR"}[random.IntN(3)])})
			}
			records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{
				Dialect: event.Native, Type: event.Track, Name: "x", Time: epoch.UnixMilli(), User: fmt.Sprint(random.IntN(60)), Properties: properties,
			}}})
		}
		if _, err := e.Ingest(t.Context(), copyRecords(records), true, nil); err != nil {
			t.Fatal(err)
		}
		_, _ = m.Ingest(t.Context(), records, true, nil)
	}
	for _, q := range []query.CounterQuery{
		{Property: "sku", Limit: 3},
		{Property: "sku", Limit: 2, Offset: 2, Sort: "value"},
		{Property: "sku", Limit: 1, Metrics: query.MetricUsers},
		{Property: "sku", Limit: 4, Segment: "country"},
		{Property: "country", Limit: 1, Segment: "country"},
		{Property: "sku", Limit: 3, Where: []query.Cond{{Field: "user", Values: []string{"7"}}}},
		{Property: "sku", Limit: 2, Metrics: query.MetricEvents},
		{Property: "sku", Limit: 2, Sort: "users"},
	} {
		q.Site = &site.Site
		whole := q
		whole.Limit, whole.Offset = 0, 0
		want, _ := m.Counters(t.Context(), whole)
		slices.SortFunc(want.Rows, func(a, b query.CounterRow) int {
			by := cmp.Compare(b.Events, a.Events)
			switch q.Sort {
			case "users":
				by = cmp.Compare(b.Users, a.Users)
			case "value":
				by = 0
			}
			return cmp.Or(by, cmp.Compare(a.Value, b.Value), cmp.Compare(a.Segment, b.Segment))
		})
		want.Rows = want.Rows[min(q.Offset, len(want.Rows)):][:min(q.Limit, len(want.Rows))]
		got, err := e.Counters(t.Context(), q)
		clearUnwanted(&got, q.Metrics)
		clearUnwanted(&want, q.Metrics)
		if err != nil || !slices.Equal(got.Rows, want.Rows) || got.Total != want.Total || got.Count != want.Count {
			t.Errorf("%s: %v\n got %+v of %d, total %+v\nwant %+v of %d, total %+v", showCounterQuery(q), err, got.Rows, got.Count, got.Total, want.Rows, want.Count, want.Total)
		}
	}
}

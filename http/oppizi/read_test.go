package oppizi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// listing is the JSON of the reply to a GET.
type listing struct {
	Success bool
	Error   string
	Data    struct {
		Nodes []struct {
			ID        string
			EventName string
		}
		TotalCount int
		NextCursor *string
	}
	NextCursor *string
}

func get(t testing.TB, s *dialecttest.Session, query string) (int, listing) {
	req, err := dialecttest.NewRequest("GET", "/tracking/events?"+query, map[string]string{"Authorization": "Bearer secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, res := s.Do(req)
	var l listing
	if err := json.Unmarshal(res.Body, &l); err != nil {
		t.Fatalf("GET ?%s: %v in %s", query, err, res.Body)
	}
	return res.Status, l
}

func (l listing) names() string {
	var names []string
	for _, n := range l.Data.Nodes {
		names = append(names, n.EventName)
	}
	return strings.Join(names, " ")
}

// store returns a session that stores one event per body.
func store(t testing.TB, bodies ...string) *dialecttest.Session {
	s := dialecttest.Golden{Dialect: New()}.Session()
	for _, body := range bodies {
		if _, res := s.Do(post(t, "", body)); res.Status != 201 {
			t.Fatalf("%s: %s", body, res.Body)
		}
	}
	return s
}

// Each row is a query over the same events. want lists the names of the events it finds, the
// newest first.
func TestFilters(t *testing.T) {
	s := store(t,
		`{"eventName":"n100","value":100,"metadata":{"amount":100}}`,
		`{"eventName":"n100.0","value":100.0,"metadata":{"amount":1e2}}`,
		`{"eventName":"s100","value":"100","metadata":{"amount":"100"}}`,
		`{"eventName":"s0100","value":"0100","metadata":{"amount":"0100"}}`,
		`{"eventName":"n2.5","value":2.50,"metadata":{"amount":[2.5,"x"]}}`,
		`{"eventName":"Purchase","value":-7,"metadata":{"a.b":1,"order id":"7","café":"ü","a=b":"c","tag":["a","b"],"none":[],"empty":"","ok":true}}`,
		`{"eventName":"a, b","value":"x, y","metadata":{"tag":"b","big":"12345678901234567890123","comma":"1,2"}}`,
		`{"eventName":"b","value":"y","metadata":{"tag":["c"],"big":12345678901234567890123}}`,
		`{"eventName":"__proto__","value":250,"metadata":{"__proto__":"x","`+strings.Repeat("k", 40)+`":"long"}}`,
	)
	for _, c := range []struct{ name, query, want string }{
		{"no filter", "", "__proto__ b a, b Purchase n2.5 s0100 s100 n100.0 n100"},
		{"a number finds numbers and canonical text", "metadata.amount=100", "s100 n100.0 n100"},
		{"the number in another notation", "metadata.amount=100.0", "s100 n100.0 n100"},
		{"an exponent", "metadata.amount=1.0e2", "s100 n100.0 n100"},
		{"leading zeros also find the same text", "metadata.amount=0100", "s0100 s100 n100.0 n100"},
		{"a number with a plus sign is text", "metadata.amount=%2B100", ""},
		{"an element of an array", "metadata.amount=2.50", "n2.5"},
		{"a text element of an array", "metadata.amount=x", "n2.5"},
		{"a hexadecimal number is text", "metadata.amount=0x64", ""},
		{"exact decimals, not floats", "metadata.big=12345678901234567890123", "b a, b"},
		{"a number with one other digit", "metadata.big=12345678901234567890124", ""},

		{"name", "eventName=Purchase", "Purchase"},
		{"name in another case", "eventName=purchase", ""},
		{"names repeated", "eventName=Purchase&eventName=b", "b Purchase"},
		{"names in brackets", "eventName[]=Purchase&eventName%5B%5D=b", "b Purchase"},
		{"names with commas", "eventName=Purchase,n2.5", "Purchase n2.5"},
		{"a name with a comma also finds its parts", "eventName=a,%20b", "b a, b"},
		{"an empty name is ignored", "eventName=", "__proto__ b a, b Purchase n2.5 s0100 s100 n100.0 n100"},
		{"an empty name beside another", "eventName=&eventName=b", "b"},
		{"a name like a prototype's", "eventName=__proto__", "__proto__"},

		{"value", "value=250", "__proto__"},
		{"value in any notation", "value=1e2", "s100 n100.0 n100"},
		{"value negative", "value=-7.0", "Purchase"},
		{"values with commas", "value=250,-7", "__proto__ Purchase"},
		{"a value with a comma also finds its parts", "value=x,%20y", "b a, b"},
		{"an empty value is ignored", "value=&eventName=b", "b"},

		{"two keys, both match", "metadata.tag=a&metadata.ok=true", "Purchase"},
		{"two keys, one does not match", "metadata.tag=a&metadata.ok=false", ""},
		{"name and key", "eventName=Purchase&metadata.tag=b", "Purchase"},
		{"one key repeated", "metadata.tag=a&metadata.tag=c", "b Purchase"},
		{"an element", "metadata.tag=b", "a, b Purchase"},
		{"a comma does not separate values of metadata", "metadata.tag=a,b", ""},
		{"a literal comma", "metadata.comma=1,2", "a, b"},
		{"a key with a dot", "metadata.a.b=1", "Purchase"},
		{"a key with a space", "metadata.order%20id=7", "Purchase"},
		{"a key with a space encoded as plus", "metadata.order+id=7", "Purchase"},
		{"a key with an accent", "metadata.caf%C3%A9=%C3%BC", "Purchase"},
		{"a key with =", "metadata.a%3Db=c", "Purchase"},
		{"a boolean", "metadata.ok=true", "Purchase"},
		{"a boolean in another case", "metadata.ok=True", ""},
		{"an empty array matches nothing", "metadata.none=", ""},
		{"empty text", "metadata.empty=", "Purchase"},
		{"a key of 40 characters", "metadata." + strings.Repeat("k", 40) + "=long", "__proto__"},
		{"a key of 41 characters", "metadata." + strings.Repeat("k", 41) + "=long", ""},
		{"a key like a prototype's", "metadata.__proto__=x", "__proto__"},
		{"not UTF-8", "metadata.tag=%FF", ""},

		{"metadata without a key is ignored", "metadata=x&eventName=b", "b"},
		{"unknown parameters are ignored", "foo=bar&user=x&dialect=native&from=x&eventName=b", "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, l := get(t, s, c.query)
			if status != 200 || !l.Success || l.names() != c.want {
				t.Errorf("GET ?%s: %d %q, want %q", c.query, status, l.names(), c.want)
			}
			if l.Data.TotalCount != len(l.Data.Nodes) || l.NextCursor != nil || l.Data.NextCursor != nil {
				t.Errorf("GET ?%s: total %d, cursor %v for %d events", c.query, l.Data.TotalCount, l.NextCursor, len(l.Data.Nodes))
			}
		})
	}
}

func TestQueryRefused(t *testing.T) {
	s := store(t, `{"eventName":"E","value":1}`)
	id := strings.Repeat("0", 31) + "1"
	many := func(param string, n int) string { return strings.Repeat(param+"=x&", n) }
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "metadata.k%d=x&", i)
		}
		return b.String()
	}
	for _, c := range []struct {
		query  string
		status int
		err    string
	}{
		{"limit=1", 200, ""},
		{"limit=100", 200, ""},
		{"limit=020", 200, ""},
		{"limit=", 200, ""},
		{"limit=abc&limit=5", 200, ""},
		{"limit=0", 400, "limit: "},
		{"limit=101", 400, "limit: "},
		{"limit=-1", 400, "limit: "},
		{"limit=abc", 400, "limit: "},
		{"limit=1.5", 400, "limit: "},
		{"limit=1e1", 400, "limit: "},
		{"limit=%2B5", 400, "limit: "},
		{"limit=+5", 400, "limit: "},
		{"limit=%D9%A3", 400, "limit: "},
		{"limit=99999999999999999999", 400, "limit: "},
		{"limit=5&limit=0", 400, "limit: "},
		{"startingAfter=", 200, ""},
		{"startingAfter=" + id, 200, ""},
		{"startingAfter=!!!", 400, "startingAfter: "},
		{"startingAfter=" + id[1:], 400, "startingAfter: "},
		{"startingAfter=" + id + "0", 400, "startingAfter: "},
		{"startingAfter=" + strings.Repeat("A", 32), 400, "startingAfter: "},
		{"startingAfter=" + strings.Repeat("f", 32), 400, "startingAfter: "},
		{"metadata.=x", 400, "metadata"},
		{many("eventName", 100), 200, ""},
		{many("eventName", 101), 400, "eventName: "},
		{"value=" + strings.Repeat("1,", 101), 400, "value: "},
		{many("metadata.k", 101), 400, "metadata: "},
		{keys(50), 200, ""},
		{keys(51), 400, "metadata: "},
	} {
		status, l := get(t, s, c.query)
		if status != c.status || !strings.HasPrefix(l.Error, c.err) || l.Success != (status == 200) {
			t.Errorf("GET ?%.60s: %d %q, want %d %q", c.query, status, l.Error, c.status, c.err)
		}
	}
}

// A walk with the cursor lists each event once at any page size, even when more events arrive
// meanwhile and when the event of the cursor is erased.
func TestPaging(t *testing.T) {
	const events = 25
	for _, limit := range []int{1, 2, 7, 24, 25, 100} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			var bodies []string
			for i := range events {
				bodies = append(bodies, fmt.Sprintf(`{"eventName":"e%d","value":%d,"metadata":{"odd":%t}}`, i, i, i%2 == 1))
			}
			s := store(t, bodies...)
			var want, got []string
			for i := events - 1; i >= 0; i-- {
				want = append(want, fmt.Sprintf("e%d", i))
			}
			query := fmt.Sprintf("limit=%d", limit)
			for cursor := ""; ; {
				status, l := get(t, s, query+"&startingAfter="+cursor)
				if status != 200 {
					t.Fatal(status, l.Error)
				}
				for _, n := range l.Data.Nodes {
					got = append(got, n.EventName)
				}
				if l.NextCursor == nil {
					break
				}
				last := l.Data.Nodes[len(l.Data.Nodes)-1].ID
				if *l.NextCursor != last || *l.Data.NextCursor != last {
					t.Fatalf("the cursor is %s, the last event %s", *l.NextCursor, last)
				}
				cursor = last
				s.Do(post(t, "", `{"eventName":"late","value":1}`))
				s.Store.Erase(cursor)
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d gave %v", limit, got)
			}
		})
	}
}

func TestLimitDefault(t *testing.T) {
	var bodies []string
	for range 120 {
		bodies = append(bodies, `{"eventName":"E","value":1}`)
	}
	s := store(t, bodies...)
	for query, want := range map[string]int{"": 20, "limit=": 20, "limit=100": 100, "limit=3": 3} {
		if _, l := get(t, s, query); len(l.Data.Nodes) != want || l.Data.TotalCount != 120 || l.NextCursor == nil {
			t.Errorf("GET ?%s gives %d of %d", query, len(l.Data.Nodes), l.Data.TotalCount)
		}
	}
}

// The same log holds events of other dialects. Oppizi does not list them.
func TestOnlyOppizi(t *testing.T) {
	s := store(t, `{"eventName":"mine","value":1}`)
	for _, d := range []event.Dialect{event.Native, event.Segment} {
		if _, err := s.Store.Add(&event.Event{Dialect: d, Type: event.Track, Name: "theirs"}, dialecttest.Start.UnixMilli()); err != nil {
			t.Fatal(err)
		}
	}
	if _, l := get(t, s, ""); l.names() != "mine" || l.Data.TotalCount != 1 {
		t.Errorf("listed %q of %d", l.names(), l.Data.TotalCount)
	}
}

// failing is a Reader that returns errors.
type failing struct {
	dialect.Reader
	list, count error
}

func (f failing) List(context.Context, query.Query) (query.Page, error) {
	return query.Page{}, f.list
}

func (f failing) Count(context.Context, query.Query) (query.Totals, error) {
	return query.Totals{}, f.count
}

// Read returns the errors of the Reader unchanged, except for a bad cursor: that error names the
// parameter of Oppizi.
func TestReadErrors(t *testing.T) {
	busy := &dialect.StatusError{Failure: dialect.Busy, Msg: "query_timeout"}
	bad := &dialect.StatusError{Failure: dialect.BadRequest, Field: "after", Msg: "no"}
	after := "startingAfter=" + strings.Repeat("1", 32)
	var field *event.FieldError
	for _, c := range []struct {
		name, query string
		reader      failing
		want        func(error) bool
	}{
		{"busy list", "", failing{list: busy}, func(err error) bool { return errors.Is(err, busy) }},
		{"busy list under a cursor", after, failing{list: busy}, func(err error) bool { return errors.Is(err, busy) }},
		{"busy count", "", failing{count: busy}, func(err error) bool { return errors.Is(err, busy) }},
		{"bad cursor", after, failing{list: bad}, func(err error) bool { return errors.As(err, &field) && field.Field == "startingAfter" }},
	} {
		req, _ := dialecttest.NewRequest("GET", "/tracking/events?"+c.query, nil, nil)
		if err := New().Read(t.Context(), req, c.reader, new(dialect.Response)); !c.want(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

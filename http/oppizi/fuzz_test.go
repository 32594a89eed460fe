package oppizi

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect/dialecttest"
)

// The reply to any body is JSON with an expected status. A filter with all fields of a stored
// event finds this event.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"eventName":"Purchase","value":250,"metadata":{"orderId":182394}}`,
		`{"eventName":"a, b","value":"0100","metadata":{"t":["a",1e2,true],"":1},"userId":4}`,
		`{"type":"conversion","value":-0,"metadata":{"a.b":"\ud83d","c":"\u0000"}}`,
		"eventName=Sign+up&value=2.50&metadata[plan]=pro&metadata.tag=a&metadata.tag=b",
	} {
		f.Add("application/json", body)
		f.Add("application/x-www-form-urlencoded", body)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		s := dialecttest.Golden{Dialect: New()}.Session()
		_, res := s.Do(post(t, contentType, body))
		if !json.Valid(res.Body) {
			t.Fatalf("the reply is %q", res.Body)
		}
		page, err := s.Store.List(t.Context(), query.Query{Limit: 1})
		if err != nil || len(page.Events) != map[bool]int{true: 1}[res.Status == 201] {
			t.Fatalf("status %d, but %d events are stored (%v)", res.Status, len(page.Events), err)
		}
		if res.Status != 201 {
			if res.Status != 400 && res.Status != 413 && res.Status != 415 {
				t.Fatalf("status %d: %s", res.Status, res.Body)
			}
			return
		}
		e := page.Events[0]
		query := url.Values{"eventName": {e.Name}, "value": {e.Value.Text}}
		for _, m := range e.Properties {
			if m.Value.Kind != event.JSON {
				query.Set("metadata."+m.Key, m.Value.Text)
			}
		}
		if status, l := get(t, s, query.Encode()); status != 200 || l.Data.TotalCount != 1 {
			t.Fatalf("%+v is not found by %s: %d, %d events", e, query.Encode(), status, l.Data.TotalCount)
		}
	})
}

// Any parsed query stays within its bounds and reads only events of the dialect. A refusal
// names a field.
func FuzzQuery(f *testing.F) {
	f.Add("eventName=Purchase&metadata.amount=100")
	f.Add("limit=5&startingAfter=00000000000000000000000000000001&value=100,250&eventName[]=a")
	f.Add("metadata.=x&metadata.%FF=%zz&limit=%2B1")
	s := store(f, `{"eventName":"Purchase","value":250,"metadata":{"amount":100}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			var field *event.FieldError
			if !errors.As(err, &field) || field.Field == "" {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > pageMax || len(q.Where) == 0 || len(q.Where) > entriesMax+3 {
			t.Fatalf("%q: %+v", raw, q)
		}
		if first := q.Where[0]; first.Field != "dialect" || len(first.Values) != 1 || first.Values[0] != "oppizi" {
			t.Fatalf("%q reads events of other dialects: %+v", raw, q)
		}
		for _, cond := range q.Where {
			if len(cond.Values) == 0 || len(cond.Values) > valuesMax {
				t.Fatalf("%q: %d values of %s", raw, len(cond.Values), cond.Field)
			}
		}
		if status, l := get(t, s, raw); status != 200 && status != 400 || (status == 200) != l.Success {
			t.Fatalf("%q: %d", raw, status)
		}
	})
}

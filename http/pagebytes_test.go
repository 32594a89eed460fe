package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

// pageMeter is an engine that remembers how many bytes its largest page had.
type pageMeter struct {
	Engine
	largest int
}

func (m *pageMeter) note(objects ...event.Object) {
	n := 0
	for _, o := range objects {
		for _, member := range o {
			n += len(member.Value.Text)
		}
	}
	m.largest = max(m.largest, n)
}

func (m *pageMeter) List(ctx context.Context, q query.Query) (query.Page, error) {
	page, err := m.Engine.List(ctx, q)
	var all []event.Object
	for _, e := range page.Events {
		all = append(all, e.Properties)
	}
	m.note(all...)
	return page, err
}

func (m *pageMeter) Users(ctx context.Context, q query.Query) ([]query.User, string, error) {
	users, next, err := m.Engine.Users(ctx, q)
	var all []event.Object
	for i := range users {
		all = append(all, users[i].Properties)
	}
	m.note(all...)
	return users, next, err
}

// TestPagesOfLargeEvents lists 300 events of 31 KB, and persons as large, with the greatest
// limit: reading a page stops when it has its MiB, and the pages together have all.
func TestPagesOfLargeEvents(t *testing.T) {
	t.Parallel()
	var meter *pageMeter
	s := onStore(t, engine.Options{}, func(o *Options) {
		meter = &pageMeter{Engine: o.Engine}
		o.Engine = meter
	}, testSite(1, "shop"))
	const n, size = 300, 31_000
	for from := 0; from < n; from += 100 {
		var body strings.Builder
		for i := from; i < from+100; i++ {
			fmt.Fprintf(&body, `{"type":"identify","user":"u%d","properties":{"t":"%s"}}`+"\n", i, strings.Repeat("x", size))
			fmt.Fprintf(&body, `{"name":"large","user":"u%d","properties":{"p":"%s"}}`+"\n", i, strings.Repeat("x", size))
		}
		if a := s.post(body.String(), "Content-Type: application/x-ndjson"); a.status != 200 {
			t.Fatal(a.status, a.body)
		}
	}
	panel := []string{"openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret"}
	for _, test := range []struct {
		target, cursor, list, next string
		headers                    []string
		most                       int
	}{
		{"/api/v1/events?limit=1000&type=track", "after", "events", "next", []string{secret}, 1 << 20},
		{"/api/v1/users?limit=1000", "after", "users", "next", []string{secret}, 1 << 20},
		{"/api/views/events?site=shop&key=shop-read&limit=100&property=p&value=" + "none", "nextToken", "data", "nextToken", nil, 1 << 20},
	} {
		meter.largest = 0
		got, cursor := 0, ""
		for pages := 0; pages < n; pages++ {
			target := test.target
			if cursor != "" {
				target += "&" + test.cursor + "=" + cursor
			}
			a := s.send("GET", target, "", test.headers...)
			var page map[string]json.RawMessage
			if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
				t.Fatalf("%s: %d %.300s %v", target, a.status, a.body, err)
			}
			var list []json.RawMessage
			cursor = ""
			json.Unmarshal(page[test.list], &list)
			json.Unmarshal(page[test.next], &cursor)
			if got += len(list); cursor == "" {
				break
			}
		}
		if want := n; !strings.Contains(test.target, "=none") && got != want {
			t.Errorf("%s: %d, want %d", test.target, got, want)
		}
		if meter.largest > test.most+size {
			t.Errorf("%s: a page of %d bytes was read", test.target, meter.largest)
		}
	}
	// OpenPanel's pages have numbers, so one that is too large is refused, and a smaller one
	// is whole.
	for _, filters := range []string{"", `&filters=[{"name":"name","operator":"contains","value":["large"]}]`} {
		meter.largest = 0
		if a := s.send("GET", "/export/events?projectId=shop&limit=300&includes=properties"+filters, "", panel...); a.status != 400 || !strings.Contains(a.body, "limit: ") {
			t.Errorf("an export of 9 MB: %d %.300s", a.status, a.body)
		}
		if most := 8 << 20; meter.largest > most+size {
			t.Errorf("a page of %d bytes was read", meter.largest)
		}
		a := s.send("GET", "/export/events?projectId=shop&limit=100&page=3&includes=properties"+filters, "", panel...)
		if a.status != 200 || strings.Count(a.body, `"name":"large"`) != 100 {
			t.Errorf("the last hundred: %d, %d events", a.status, strings.Count(a.body, `"name":"large"`))
		}
	}
}

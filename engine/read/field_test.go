package read

import (
	"slices"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// partOf returns the rows of some events in memory.
func partOf(t testing.TB, events ...event.Event) index.Part {
	t.Helper()
	of := table.New(1, nil)
	var records [][]byte
	for i := range events {
		e := &events[i]
		if e.Dialect == "" {
			e.Dialect = event.Native
		}
		if e.Type == "" {
			e.Type = event.Track
		}
		records = append(records, event.AppendRecord(nil, event.HeadOf(e), event.AppendBody(nil, e)))
	}
	if _, err := of.Append(1, records, new(table.Overflow)); err != nil {
		t.Fatal(err)
	}
	of.Publish(uint64(len(events)))
	return of.View().Parts[0].Get()
}

func contextOf(pairs ...string) (o event.Object) {
	for i := 0; i < len(pairs); i += 2 {
		o.Set(pairs[i], event.Str(pairs[i+1]))
	}
	return o
}

// What a row has under each name.
func TestFields(t *testing.T) {
	site := &query.Site{Hosts: []string{"www.own.example:443"}}
	properties := event.Object{{Key: "tags", Value: event.Raw(`["a","b","a",1,1.0]`)}, {Key: "a", Value: event.Raw(`{"b":"x","":"y"}`)}, {Key: "a.b", Value: event.Str("z")}, {Key: "none", Value: event.Value{Kind: event.Null}}, {Key: "empty", Value: event.Raw(`[]`)}}
	long := event.Object{{Key: "context", Value: event.Raw(`{"app":{"name":"Shop","version":"1.2"},"library":{"name":"js"},"page":{"path":"/p","title":"T"},"campaign":{"source":"Mail"}}`)}}
	for _, c := range []struct {
		name  string
		event event.Event
		want  []string
	}{
		{"name", event.Event{Name: "n"}, []string{"n"}},
		{"name", event.Event{}, nil},
		{"type", event.Event{Type: event.Goal}, []string{"goal"}},
		{"user", event.Event{User: "u", Anonymous: "a"}, []string{"u"}},
		{"user", event.Event{Anonymous: "a"}, nil},
		{"session", event.Event{Session: "s"}, []string{"s"}},
		{"group", event.Event{Groups: []string{"g", "h"}}, []string{"g", "h"}},
		{"value", event.Event{Value: event.Num("1e2")}, []string{"100"}},
		{"country", event.Event{Context: contextOf("country", "DE")}, []string{"DE"}},
		{"prop.tags", event.Event{Properties: properties}, []string{"1", "a", "b"}},
		{"prop.a.b", event.Event{Properties: properties}, []string{"x", "z"}},
		{"prop.a.", event.Event{Properties: properties}, []string{"y"}},
		{"prop.a", event.Event{Properties: properties}, nil},
		{"prop.none", event.Event{Properties: properties}, nil},
		{"prop.empty", event.Event{Properties: properties}, nil},
		{"extra.context.app.name", event.Event{Extra: long, Context: contextOf("path", "/p", "title", "T")}, []string{"Shop"}},
		{"extra.context.page.path", event.Event{Extra: long, Context: contextOf("path", "/p", "title", "T")}, []string{"/p"}},
		{"extra.context.campaign.source", event.Event{Extra: long, Context: contextOf("utm_source", "Mail")}, []string{"Mail"}},

		{"page", event.Event{Type: event.Page, Name: "Home", Context: contextOf("path", "/")}, []string{"/"}},
		{"page", event.Event{Type: event.Screen, Name: "Home"}, []string{"Home"}},
		{"page", event.Event{Name: "click", Context: contextOf("path", "/a")}, []string{"/a"}},
		{"page", event.Event{Name: "click"}, nil},
		{"host", event.Event{Context: contextOf("url", "https://www.Shop.Example:8443/a?b")}, []string{"shop.example"}},
		{"host", event.Event{Context: contextOf("url", "/a")}, nil},
		{"medium", event.Event{Context: contextOf("utm_medium", "CPC")}, []string{"cpc"}},
		{"campaign", event.Event{Context: contextOf("utm_campaign", "ÄRGER")}, []string{query.Fold("ärger")}},

		{"source", event.Event{}, nil},
		{"channel", event.Event{}, []string{"direct"}},
		{"source", event.Event{Context: contextOf("utm_source", "google")}, []string{"google"}}, // shown as Google
		{"source", event.Event{Context: contextOf("referrer_host", "www.google.de")}, []string{"google"}},
		{"channel", event.Event{Context: contextOf("referrer_host", "www.google.de")}, []string{"search"}},
		{"source", event.Event{Context: contextOf("referrer_host", "Blog.example")}, []string{"blog.example"}},
		{"channel", event.Event{Context: contextOf("referrer_host", "Blog.example")}, []string{"website"}},
		{"source", event.Event{Context: contextOf("referrer_host", "own.example")}, nil},
		{"source", event.Event{Context: contextOf("referrer_host", "www.a.example", "url", "https://A.example/x")}, nil},
		{"channel", event.Event{Context: contextOf("referrer_host", "www.a.example", "url", "https://A.example/x")}, []string{"direct"}},
		{"channel", event.Event{Context: contextOf("utm_term", "shoes")}, []string{"campaign"}},
		{"source", event.Event{Context: contextOf("utm_medium", "Paid-Social", "referrer_host", "own.example")}, nil},
		{"channel", event.Event{Context: contextOf("utm_medium", "Paid-Social", "referrer_host", "www.google.de")}, []string{"paid"}},
		{"channel", event.Event{Context: contextOf("utm_source", "Newsletter")}, []string{"email"}},
		{"channel", event.Event{Context: contextOf("referrer_host", "mail.google.com", "utm_source", "x")}, []string{"email"}},
	} {
		if !FieldKnown(c.name) {
			t.Errorf("%q is not known", c.name)
		}
		part := partOf(t, event.Event{}, c.event)
		var texts Terms
		f := openField(part, site, c.name, withoutCase(c.name), &texts)
		var got []string
		for _, row := range []int{1, 1} {
			got = nil
			for _, id := range f.Terms(row) {
				got = append(got, texts.Text(id))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s of %+v is %q, want %q", c.name, c.event, got, c.want)
		}
		if before := f.Terms(0); len(before) > 0 && c.name != "channel" && c.name != "type" {
			t.Errorf("%s: an empty row has %d terms", c.name, len(before))
		}
	}
	for _, name := range []string{"", "colour", "prop.", "extra.", "entry", "weekday", "visit.country", "has"} {
		if FieldKnown(name) {
			t.Errorf("%q is known", name)
		}
	}
	var folded, sent Terms
	part := partOf(t, event.Event{Context: contextOf("utm_source", "google", "utm_medium", "CPC")})
	for name, want := range map[string][2]string{"source": {"google", "Google"}, "medium": {"cpc", "CPC"}} {
		a, b := openField(part, site, name, true, &folded).Terms(0), openField(part, site, name, false, &sent).Terms(0)
		if folded.Text(a[0]) != want[0] || sent.Text(b[0]) != want[1] {
			t.Errorf("%s is %q, shown as %q", name, folded.Text(a[0]), sent.Text(b[0]))
		}
	}
}
